package command_test

import (
	"crypto/elliptic"
	"math/big"
	"testing"

	"github.com/bootseal/bootseal/vtpm/internal/wire"
)

// affine is an elliptic curve as a textbook has it: what the TPM's arithmetic, which
// is another, is held against. Its parameters are those that the TPM tells.
type affine struct {
	p, a, b, n *big.Int
	g          *point
	size       int // bytes in a coordinate
	name       string
}

// point is a point of a curve; nil is infinity.
type point struct{ x, y *big.Int }

func (p *point) equal(q *point) bool {
	if p == nil || q == nil {
		return p == q
	}
	return p.x.Cmp(q.x) == 0 && p.y.Cmp(q.y) == 0
}

func number(b []byte) *big.Int { return new(big.Int).SetBytes(b) }

// readCurve asks the TPM for a curve, by its name in the specification.
func readCurve(v *vector, name string) *affine {
	v.t.Helper()
	v.run("TPM2_ECC_Parameters : %s\n> %s $bits:2 $kdf:2", name, name)
	hash := ""
	if number(v.vars["$kdf"]).Uint64() != uint64(wire.AlgNull) {
		hash = "$hash:2"
	}
	v.run("> %s $bits:2 $kdf:2 %s TPM_ALG_NULL $p:b $a:b $b:b $x:b $y:b $n:b (01) .", name, hash)
	return &affine{
		p: number(v.vars["$p"]), a: number(v.vars["$a"]), b: number(v.vars["$b"]), n: number(v.vars["$n"]),
		g:    &point{number(v.vars["$x"]), number(v.vars["$y"])},
		size: len(v.vars["$p"]), name: name,
	}
}

func (c *affine) right(x *big.Int) *big.Int {
	r := new(big.Int).Mul(x, x)
	r.Add(r, c.a).Mul(r, x).Add(r, c.b)
	return r.Mod(r, c.p)
}

func (c *affine) has(p *point) bool {
	y2 := new(big.Int).Mul(p.y, p.y)
	return y2.Mod(y2, c.p).Cmp(c.right(p.x)) == 0
}

func (c *affine) add(p, q *point) *point {
	var slope *big.Int
	switch {
	case p == nil:
		return q
	case q == nil:
		return p
	case p.x.Cmp(q.x) != 0:
		slope = c.divide(new(big.Int).Sub(q.y, p.y), new(big.Int).Sub(q.x, p.x))
	case p.y.Cmp(q.y) != 0 || p.y.Sign() == 0:
		return nil
	default:
		top := new(big.Int).Mul(p.x, p.x)
		slope = c.divide(top.Mul(top, big.NewInt(3)).Add(top, c.a), new(big.Int).Lsh(p.y, 1))
	}
	x := new(big.Int).Mul(slope, slope)
	x.Sub(x, p.x).Sub(x, q.x).Mod(x, c.p)
	y := new(big.Int).Sub(p.x, x)
	y.Mul(y, slope).Sub(y, p.y).Mod(y, c.p)
	return &point{x, y}
}

func (c *affine) divide(a, b *big.Int) *big.Int {
	inverse := new(big.Int).ModInverse(new(big.Int).Mod(b, c.p), c.p)
	return inverse.Mul(inverse, a).Mod(inverse, c.p)
}

func (c *affine) multiply(k *big.Int, p *point) *point {
	var r *point
	for i := k.BitLen() - 1; i >= 0; i-- {
		r = c.add(r, r)
		if k.Bit(i) == 1 {
			r = c.add(r, p)
		}
	}
	return r
}

// bytes returns a coordinate, or a number below the order, in full.
func (c *affine) bytes(x *big.Int) []byte { return x.FillBytes(make([]byte, c.size)) }

// bind binds a variable to the TPM2B_ECC_POINT of p, and to a TPMS_ECC_POINT under
// the same name with an s, which is a key's unique field.
func (c *affine) bind(v *vector, name string, p *point) {
	w := wire.TPMSECCPoint{X: c.bytes(p.x), Y: c.bytes(p.y)}
	v.vars[name] = wire.Marshal(wire.TPM2BECCPoint{Point: w})
	v.vars[name+"s"] = wire.Marshal(w)
}

// bound returns the point that a variable is bound to, which is a TPM2B_ECC_POINT;
// nil if both of its coordinates are empty.
func (c *affine) bound(v *vector, name string) *point {
	v.t.Helper()
	var b wire.TPM2BECCPoint
	if err := wire.Unmarshal(v.vars[name], &b, wire.DefaultLimits()); err != nil {
		v.fatalf("%s: %v", name, err)
	}
	if len(b.Point.X)+len(b.Point.Y) == 0 {
		return nil
	}
	if len(b.Point.X) != c.size || len(b.Point.Y) != c.size {
		v.fatalf("%s: coordinates of %d and %d bytes, on %s", name, len(b.Point.X), len(b.Point.Y), c.name)
	}
	p := &point{number(b.Point.X), number(b.Point.Y)}
	if !c.has(p) {
		v.fatalf("%s is not on %s", name, c.name)
	}
	return p
}

// load loads the private key d as an external key with attributes and a scheme: $key.
// It returns the public key.
func (c *affine) load(v *vector, d *big.Int, attributes, scheme string) *point {
	v.t.Helper()
	q := c.multiply(d, c.g)
	c.bind(v, "$q", q)
	v.sized("$d", c.bytes(d))
	v.run("TPM2_LoadExternal : (TPM_ALG_ECC () () $d) (TPM_ALG_ECC TPM_ALG_SHA256 %s () TPM_ALG_NULL %s %s TPM_ALG_NULL $qs) TPM_RH_NULL",
		attributes, scheme, c.name)
	v.run("> handle:$key")
	return q
}

// Attributes of the keys that load loads.
const (
	decrypts = "u32:0x00020040" // decrypt | userWithAuth
	signs    = "u32:0x00040040" // sign | userWithAuth
)

// curveNames are the curves of the default profile, with the standard library's
// where it has them.
var curveNames = map[string]elliptic.Curve{
	"TPM_ECC_NIST_P224": elliptic.P224(),
	"TPM_ECC_NIST_P256": elliptic.P256(),
	"TPM_ECC_NIST_P384": elliptic.P384(),
	"TPM_ECC_NIST_P521": elliptic.P521(),
	"TPM_ECC_BN_P256":   nil,
	"TPM_ECC_SM2_P256":  nil,
}

// eachCurve runs test on a TPM of its own for every curve.
func eachCurve(t *testing.T, test func(v *vector, c *affine)) {
	for name := range curveNames {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v := newVector(t)
			test(v, readCurve(v, name))
		})
	}
}

// TestCurveParameters: what the TPM tells of a curve is a group of prime order, and
// the standard library's where it has the curve.
func TestCurveParameters(t *testing.T) {
	eachCurve(t, func(v *vector, c *affine) {
		t := v.t
		if !c.p.ProbablyPrime(20) || !c.n.ProbablyPrime(20) {
			t.Error("p or n is no prime")
		}
		if bits := number(v.vars["$bits"]); c.p.BitLen() != int(bits.Int64()) {
			t.Errorf("a keySize of %d, p has %d bits", bits, c.p.BitLen())
		}
		if !c.has(c.g) || c.multiply(c.n, c.g) != nil {
			t.Error("the generator is not one of the group")
		}
		std := curveNames[c.name]
		if std == nil {
			return
		}
		want := std.Params()
		minus3 := new(big.Int).Sub(want.P, big.NewInt(3))
		if c.p.Cmp(want.P) != 0 || c.a.Cmp(minus3) != 0 || c.b.Cmp(want.B) != 0 || c.n.Cmp(want.N) != 0 ||
			!c.g.equal(&point{want.Gx, want.Gy}) {
			t.Errorf("have %+v, want %+v", c, want)
		}
	})
}
