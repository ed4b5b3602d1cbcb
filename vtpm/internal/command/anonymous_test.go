package command_test

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"math/big"
	"testing"
)

// ecdaaCurves are the curves of the tests of ECDAA: the one of the algorithm, which
// pairings need, and one that every TPM has.
var ecdaaCurves = []string{"TPM_ECC_BN_P256", "TPM_ECC_NIST_P256"}

const ecdaa = "TPM_ALG_ECDAA TPM_ALG_SHA256 u16:0"

// basePoint binds $s2 and $y2 to what names a point for TPM2_Commit, its first
// coordinate being a hash, and returns the point.
func basePoint(v *vector, c *affine) *point {
	for i := 0; ; i++ {
		s2 := fmt.Appendf(nil, "basename %d", i)
		digest := sha256.Sum256(s2)
		x := new(big.Int).Mod(number(digest[:]), c.p)
		if y := new(big.Int).ModSqrt(c.right(x), c.p); y != nil {
			v.sized("$s2", s2)
			v.sized("$y2", c.bytes(y))
			return &point{x, y}
		}
	}
}

// signed signs a digest with $key and the commit $counter, and returns the two numbers
// of the signature: s, and the hash by which the key enters s.
func signed(v *vector, c *affine) (s, hash *big.Int) {
	v.t.Helper()
	v.run("TPM2_Sign $key ; pw : (ff:32) TPM_ALG_ECDAA TPM_ALG_SHA256 $counter TPM_ST_HASHCHECK TPM_RH_NULL ()")
	v.run("> TPM_ALG_ECDAA TPM_ALG_SHA256 $k:b $s:b .")
	digest := sha256.Sum256(append(bytes.Clone(v.vars["$k"]), bytes.Repeat([]byte{0xFF}, 32)...))
	return number(v.vars["$s"]), new(big.Int).Mod(number(digest[:]), c.n)
}

// TestCommitAndSign: with the points of TPM2_Commit a verifier sees that the signature
// is of the key: s = r + hash·d, whatever point both sides are multiplied with. The
// points are there that were asked for, and no other.
func TestCommitAndSign(t *testing.T) {
	for _, name := range ecdaaCurves {
		for _, test := range []struct {
			reason string
			p1     bool // with P1
			base   bool // with s2 and y2
		}{
			{"neither: E is of the generator", false, false},
			{"P1 alone", true, false},
			{"s2 alone", false, true},
			{"both", true, true},
		} {
			t.Run(name+"/"+test.reason, func(t *testing.T) {
				t.Parallel()
				v := newVector(t)
				c := readCurve(v, name)
				d := randomScalar(t, c)
				c.load(v, d, signs, ecdaa)
				base := basePoint(v, c)
				p1 := c.g
				line := "TPM2_Commit $key ; pw : (()())"
				if test.p1 {
					p1 = c.multiply(randomScalar(t, c), c.g)
					c.bind(v, "$p1", p1)
					line = "TPM2_Commit $key ; pw : $p1"
				}
				if test.base {
					line += " $s2 $y2"
				} else {
					line += " () ()"
				}
				v.run("%s\n> $k1:2b $l:2b $e:2b $counter:2 .", line)
				k, l, e := c.bound(v, "$k1"), c.bound(v, "$l"), c.bound(v, "$e")
				s, hash := signed(v, c)
				verify := func(what string, committed, product, p *point) {
					t.Helper()
					if !c.multiply(s, p).equal(c.add(committed, c.multiply(hash, product))) {
						t.Errorf("%s does not verify", what)
					}
				}
				if test.base {
					if !k.equal(c.multiply(d, base)) {
						t.Error("K is not the key's")
					}
					verify("L", l, k, base)
				} else if k != nil || l != nil {
					t.Error("K or L without s2")
				}
				if test.p1 || !test.base {
					verify("E", e, c.multiply(d, p1), p1)
				} else if e != nil {
					t.Error("E without P1")
				}
			})
		}
	}
}

// TestCommitOnce: two signatures with one random value would give away the key, so
// there is one for each commit, and none after TPM Reset.
func TestCommitOnce(t *testing.T) {
	const sign = "TPM2_Sign $key ; pw : (ff:32) TPM_ALG_ECDAA TPM_ALG_SHA256 $counter TPM_ST_HASHCHECK TPM_RH_NULL ()\n"
	v := newVector(t)
	c := readCurve(v, "TPM_ECC_NIST_P256")
	c.load(v, big.NewInt(7), signs, ecdaa)
	v.run("TPM2_Commit $key ; pw : (()()) () ()\n> $k:2b $l:2b $e:2b $counter:2 .")
	v.run(sign + "= TPM_RC_SUCCESS")
	v.run(sign + "= TPM_RC_VALUE")
	v.run("TPM2_Commit $key ; pw : (()()) () ()\n> $k:2b $l:2b $again:2b $counter:2 .")
	if c.bound(v, "$e").equal(c.bound(v, "$again")) {
		t.Error("two commits with one random value")
	}
	v.run("init\nTPM2_Startup : TPM_SU_CLEAR")
	c.load(v, big.NewInt(7), signs, ecdaa)
	v.run(sign + "= TPM_RC_VALUE")
}

// TestCommitNotOfAnotherKey: a commit is one of its key. With another key's the
// verifier sees a signature that does not verify.
func TestCommitNotOfAnotherKey(t *testing.T) {
	v := newVector(t)
	c := readCurve(v, "TPM_ECC_NIST_P256")
	c.load(v, big.NewInt(7), signs, ecdaa)
	v.run("TPM2_Commit $key ; pw : (()()) () ()\n> $k:2b $l:2b $e:2b $counter:2 .")
	e := c.bound(v, "$e")
	q := c.load(v, big.NewInt(11), signs, ecdaa)
	s, hash := signed(v, c)
	if c.multiply(s, c.g).equal(c.add(e, c.multiply(hash, q))) {
		t.Error("the random value does not depend on the key")
	}
}

// TestCommitAfterShutdown: a commit outlives a TPM Resume and a TPM Restart; and the
// state of a Shutdown before the commit, in which the counter is lower, is gone.
func TestCommitAfterShutdown(t *testing.T) {
	const template = "(TPM_ALG_ECC TPM_ALG_SHA256 u32:0x00040072 () TPM_ALG_NULL " + ecdaa + " TPM_ECC_NIST_P256 TPM_ALG_NULL ()())"
	const create = "TPM2_CreatePrimary TPM_RH_OWNER ; pw : (()()) " + template + " () u32:0\n> handle:$key"
	for _, startup := range []string{"TPM_SU_STATE", "TPM_SU_CLEAR"} {
		v := newVector(t)
		c := readCurve(v, "TPM_ECC_NIST_P256")
		v.run(create)
		v.run("TPM2_Commit $key ; pw : (()()) () ()\n> $k:2b $l:2b $e:2b $counter:2 .")
		e := c.bound(v, "$e")
		v.run("TPM2_Shutdown : TPM_SU_STATE\ninit\nTPM2_Startup : %s", startup)
		v.run(create)
		v.run("TPM2_ReadPublic $key\n> $public:2b")
		s, hash := signed(v, c)
		public := v.vars["$public"]
		v.vars["$q"] = append([]byte{0, 68}, public[len(public)-68:]...)
		if !c.multiply(s, c.g).equal(c.add(e, c.multiply(hash, c.bound(v, "$q")))) {
			t.Errorf("%s: another random value", startup)
		}

		v.run("TPM2_Shutdown : TPM_SU_STATE\nTPM2_Commit $key ; pw : (()()) () ()")
		v.run("init\nTPM2_Startup : TPM_SU_STATE\n= TPM_RC_VALUE parameter 1")
	}
}
