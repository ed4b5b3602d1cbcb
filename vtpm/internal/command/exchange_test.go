package command_test

import (
	"bytes"
	"crypto/ecdh"
	"crypto/rand"
	"math/big"
	"testing"

	"github.com/bootseal/bootseal/vtpm/internal/crypt"
	"github.com/bootseal/bootseal/vtpm/internal/wire"
)

// randomScalar returns a private key of the curve.
func randomScalar(t testing.TB, c *affine) *big.Int {
	t.Helper()
	for {
		d, err := rand.Int(rand.Reader, c.n)
		if err != nil {
			t.Fatal(err)
		}
		if d.Sign() != 0 {
			return d
		}
	}
}

// TestECDHWithStandardLibrary: crypto/ecdh comes to the same secret as the TPM, with
// the static key (TPM2_ECDH_ZGen) and with one of the moment (TPM2_ECDH_KeyGen).
func TestECDHWithStandardLibrary(t *testing.T) {
	for name, std := range map[string]ecdh.Curve{
		"TPM_ECC_NIST_P256": ecdh.P256(), "TPM_ECC_NIST_P384": ecdh.P384(), "TPM_ECC_NIST_P521": ecdh.P521(),
	} {
		v := newVector(t)
		c := readCurve(v, name)
		key, err := std.GenerateKey(rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		c.load(v, number(key.Bytes()), decrypts, "TPM_ALG_ECDH TPM_ALG_SHA256")
		peer, err := std.GenerateKey(rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		public := peer.PublicKey().Bytes()[1:]
		c.bind(v, "$peer", &point{number(public[:c.size]), number(public[c.size:])})
		v.run("TPM2_ECDH_ZGen $key ; pw : $peer\n> $z:2b .")
		want, err := peer.ECDH(key.PublicKey())
		if err != nil {
			t.Fatal(err)
		}
		if z := c.bound(v, "$z"); !bytes.Equal(c.bytes(z.x), want) {
			t.Errorf("%s: ZGen: %x, want %x", name, z.x, want)
		}

		v.run("TPM2_ECDH_KeyGen $key\n> $z:2b $ephemeral:2b .")
		e := c.bound(v, "$ephemeral")
		ephemeral, err := std.NewPublicKey(append(append([]byte{4}, c.bytes(e.x)...), c.bytes(e.y)...))
		if err != nil {
			t.Fatal(err)
		}
		if want, err = key.ECDH(ephemeral); err != nil {
			t.Fatal(err)
		}
		if z := c.bound(v, "$z"); !bytes.Equal(c.bytes(z.x), want) {
			t.Errorf("%s: KeyGen: %x, want %x", name, z.x, want)
		}
	}
}

// TestECDHPoint: both coordinates are those of arithmetic, on every curve, and two
// ephemeral keys are never the same.
func TestECDHPoint(t *testing.T) {
	eachCurve(t, func(v *vector, c *affine) {
		d := randomScalar(v.t, c)
		c.load(v, d, decrypts, "TPM_ALG_NULL")
		peer := c.multiply(randomScalar(v.t, c), c.g)
		c.bind(v, "$peer", peer)
		v.run("TPM2_ECDH_ZGen $key ; pw : $peer\n> $z:2b .")
		if !c.bound(v, "$z").equal(c.multiply(d, peer)) {
			v.t.Error("TPM2_ECDH_ZGen: another point")
		}
		var last *point
		for range 2 {
			v.run("TPM2_ECDH_KeyGen $key\n> $z:2b $ephemeral:2b .")
			e := c.bound(v, "$ephemeral")
			if !c.bound(v, "$z").equal(c.multiply(d, e)) {
				v.t.Error("TPM2_ECDH_KeyGen: another point")
			}
			if e.equal(last) {
				v.t.Error("the same ephemeral key twice")
			}
			last = e
		}
	})
}

// twoPhase is a key exchange in which the other party is the test: the TPM's public
// keys are qs and qe, the test's private ones ds and de.
type twoPhase struct {
	*affine
	qs, qe *point
	ds, de *big.Int
}

// begin loads a key with the scheme and makes the ephemeral one: $key and $counter,
// and for the other party $qs and $qe.
func begin(v *vector, c *affine, scheme string) *twoPhase {
	v.t.Helper()
	x := &twoPhase{affine: c, ds: randomScalar(v.t, c), de: randomScalar(v.t, c)}
	x.qs = c.load(v, randomScalar(v.t, c), decrypts, scheme)
	v.run("TPM2_EC_Ephemeral : %s\n> $qe:2b $counter:2 .", c.name)
	x.qe = c.bound(v, "$qe")
	c.bind(v, "$qs", c.multiply(x.ds, c.g))
	c.bind(v, "$qe", c.multiply(x.de, c.g))
	return x
}

// associated returns the last bits of a public key's first coordinate, with the bit
// above them set.
func associated(p *point, bits int) *big.Int {
	one := big.NewInt(1)
	mask := new(big.Int).Lsh(one, uint(bits))
	low := new(big.Int).And(p.x, new(big.Int).Sub(mask, one))
	return low.Or(low, mask)
}

// TestTwoPhaseECDH: the secret of the static keys and that of the ephemeral ones, as
// the other party computes them.
func TestTwoPhaseECDH(t *testing.T) {
	eachCurve(t, func(v *vector, c *affine) {
		x := begin(v, c, "TPM_ALG_NULL")
		v.run("TPM2_ZGen_2Phase $key ; pw : $qs $qe TPM_ALG_ECDH $counter\n> $z1:2b $z2:2b .")
		if !c.bound(v, "$z1").equal(c.multiply(x.ds, x.qs)) {
			v.t.Error("outZ1 is not the secret of the static keys")
		}
		if !c.bound(v, "$z2").equal(c.multiply(x.de, x.qe)) {
			v.t.Error("outZ2 is not the secret of the ephemeral keys")
		}
	})
}

// TestTwoPhaseSM2: the secret of GB/T 32918.3, as the other party computes it.
func TestTwoPhaseSM2(t *testing.T) {
	for _, name := range []string{"TPM_ECC_SM2_P256", "TPM_ECC_NIST_P256"} {
		v := newVector(t)
		c := readCurve(v, name)
		x := begin(v, c, "TPM_ALG_SM2 TPM_ALG_SHA256")
		v.run("TPM2_ZGen_2Phase $key ; pw : $qs $qe TPM_ALG_SM2 $counter\n> $z1:2b $z2:2b .")
		const bits = 127 // half of the order's, less one
		scalar := associated(c.multiply(x.de, c.g), bits)
		scalar.Mul(scalar, x.de).Add(scalar, x.ds).Mod(scalar, c.n)
		public := c.add(x.qs, c.multiply(associated(x.qe, bits), x.qe))
		if !c.bound(v, "$z1").equal(c.multiply(scalar, public)) {
			t.Errorf("%s: another secret", name)
		}
		if c.bound(v, "$z2") != nil {
			t.Errorf("%s: SM2 has one secret, outZ2 is another", name)
		}
	}
}

// wirePoint returns the point [d]G as the TPM has it.
func (c *affine) wirePoint(d *big.Int) *wire.TPMSECCPoint {
	p := c.multiply(d, c.g)
	return &wire.TPMSECCPoint{X: c.bytes(p.x), Y: c.bytes(p.y)}
}

// TestTwoPhaseMQV: the secret of SP 800-56A, 5.7.2.3, as either party computes it. The
// default profile has no ECMQV, so that no command comes to it.
func TestTwoPhaseMQV(t *testing.T) {
	eachCurve(t, func(v *vector, c *affine) {
		ds, de, otherS, otherE := randomScalar(v.t, c), randomScalar(v.t, c), randomScalar(v.t, c), randomScalar(v.t, c)
		var curve wire.ECCCurve
		if err := wire.Unmarshal(v.bytes(c.name), &curve, wire.DefaultLimits()); err != nil {
			v.t.Fatal(err)
		}
		z1, z2, err := crypt.TwoPhase(curve, wire.AlgECMQV, c.bytes(ds), c.bytes(de), c.wirePoint(otherS), c.wirePoint(otherE))
		if err != nil || len(z2.X)+len(z2.Y) != 0 {
			v.t.Fatalf("outZ2 %x, %v", z2, err)
		}
		bits := (c.n.BitLen() + 1) / 2
		scalar := associated(c.multiply(otherE, c.g), bits)
		scalar.Mul(scalar, otherS).Add(scalar, otherE).Mod(scalar, c.n)
		qs, qe := c.multiply(ds, c.g), c.multiply(de, c.g)
		want := c.multiply(scalar, c.add(qe, c.multiply(associated(qe, bits), qs)))
		if !want.equal(&point{number(z1.X), number(z1.Y)}) {
			v.t.Error("another secret")
		}
	})
}

// TestTwoPhaseSM2Example: the key exchange of GB/T 32918.5, annex B.
func TestTwoPhaseSM2Example(t *testing.T) {
	c := readCurve(newVector(t), "TPM_ECC_SM2_P256")
	hexNumber := func(s string) *big.Int {
		n, _ := new(big.Int).SetString(s, 16)
		return n
	}
	static := hexNumber("81eb26e941bb5af16df116495f90695272ae2cd63d6c4ae1678418be48230029")
	ephemeral := hexNumber("d4de15474db74d06491c440d305e012400990f3e390c7e87153c12db2ea60bb3")
	otherStatic := hexNumber("785129917d45a9ea5437a59356b82338eaadda6ceb199088f14ae10defa229b5")
	otherEphemeral := hexNumber("7e07124814b309489125eaed101113164ebf0f3458c5bd88335c1f9d596243d6")
	z, _, err := crypt.TwoPhase(wire.CurveSM2P256, wire.AlgSM2, c.bytes(static), c.bytes(ephemeral), c.wirePoint(otherStatic), c.wirePoint(otherEphemeral))
	if err != nil {
		t.Fatal(err)
	}
	want := &point{
		hexNumber("c558b44bee5301d9f52b44d939bb59584d75b9034dd6a9fc826872109a65739f"),
		hexNumber("3252b35b191d8ae01cd122c025204334c5eacf68a0cb4854c6a7d367ecad4de7"),
	}
	if !want.equal(&point{number(z.X), number(z.Y)}) {
		t.Errorf("have %x %x", z.X, z.Y)
	}
}

// TestEphemeralOnce: an ephemeral key is used once, and a command that fails has not
// used it.
func TestEphemeralOnce(t *testing.T) {
	v := newVector(t)
	begin(v, readCurve(v, "TPM_ECC_NIST_P256"), "TPM_ALG_NULL")
	const exchange = "TPM2_ZGen_2Phase $key ; pw : %s $qe TPM_ALG_ECDH $counter\n%s"
	v.run(exchange, "((01) (01))", "= TPM_RC_ECC_POINT parameter 1")
	v.run(exchange, "$qs", "= TPM_RC_SUCCESS")
	v.run(exchange, "$qs", "= TPM_RC_VALUE parameter 4")
}

// TestEphemeralsWait: as many ephemeral keys as TPM_PT_SPLIT_MAX can wait, in any
// order; the next one takes the place of the first.
func TestEphemeralsWait(t *testing.T) {
	const splitMax = 128
	v := newVector(t)
	c := readCurve(v, "TPM_ECC_NIST_P256")
	x := begin(v, c, "TPM_ALG_NULL")
	points := []*point{x.qe}
	for len(points) <= splitMax {
		v.run("TPM2_EC_Ephemeral : %s\n> $e:2b u16:%d .", c.name, len(points))
		points = append(points, c.bound(v, "$e"))
	}
	const exchange = "TPM2_ZGen_2Phase $key ; pw : $qs $qe TPM_ALG_ECDH u16:%d"
	v.run(exchange+"\n= TPM_RC_VALUE parameter 4", 0)
	for _, i := range []int{128, 1, 127, 64} {
		v.run(exchange+"\n> $z1:2b $z2:2b .", i)
		if !c.bound(v, "$z2").equal(c.multiply(x.de, points[i])) {
			t.Errorf("counter %d: another ephemeral key", i)
		}
	}
	// The lower bits of a pending one, with other upper bits.
	v.run(exchange+"\n= TPM_RC_VALUE parameter 4", 2+splitMax)
}
