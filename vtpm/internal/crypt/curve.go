package crypt

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"sync"

	"filippo.io/bigmod"
	"filippo.io/nistec"

	"github.com/bootseal/bootseal/vtpm/internal/wire"
)

// curve is an elliptic curve in the form that computations use. Points are in
// the uncompressed form of SEC 1, or a single zero byte for infinity; scalars and
// coordinates have size bytes. It never changes once it is made.
type curve struct {
	group
	domain *domain
	size   int // bytes in a coordinate, and in a scalar: the same on all these curves
	order  *bigmod.Modulus
	std    elliptic.Curve // the standard library's, for its ECDSA; nil if it has none
}

// group is the arithmetic of a curve's points. It is constant-time but for
// whether an argument is a point, and whether a result is infinity.
type group interface {
	onCurve(point []byte) bool                       // whether it is one, and not infinity
	multiply(scalar, point []byte) ([]byte, error)   // a nil point is the generator; TPM_RC_ECC_POINT
	add(point, another []byte) (sum []byte, _ error) // TPM_RC_ECC_POINT
}

// lookup returns the curve id, or nil if the package does not know it.
func lookup(id wire.ECCCurve) *curve {
	if c := curves[id]; c != nil {
		return c()
	}
	return nil
}

// curves are made when they are first wanted. Who has which: crypto/elliptic and
// nistec have the four that NIST still recommends; the others are ours, over
// bigmod.
var curves = map[wire.ECCCurve]func() *curve{
	wire.CurveNISTP192: own(&domainP192),
	wire.CurveNISTP224: nist(elliptic.P224(), nistec.NewP224Point),
	wire.CurveNISTP256: nist(elliptic.P256(), nistec.NewP256Point),
	wire.CurveNISTP384: nist(elliptic.P384(), nistec.NewP384Point),
	wire.CurveNISTP521: nist(elliptic.P521(), nistec.NewP521Point),
	wire.CurveBNP256:   own(&domainBNP256),
	wire.CurveBNP638:   own(&domainBNP638),
	wire.CurveSM2P256:  own(&domainSM2P256),
}

func nist[P nistPoint[P]](c elliptic.Curve, newPoint func() P) func() *curve {
	return sync.OnceValue(func() *curve {
		d := domainOf(c.Params())
		return &curve{group: nistGroup[P]{newPoint}, domain: d, size: len(d.p), order: modulus(d.n), std: c}
	})
}

func own(h *hexDomain) func() *curve {
	return sync.OnceValue(func() *curve {
		d := h.decode()
		return &curve{group: newWeierstrass(d), domain: d, size: len(d.p), order: modulus(d.n)}
	})
}

// modulus returns a constant of this package as a modulus.
func modulus(b []byte) *bigmod.Modulus {
	m, err := bigmod.NewModulus(b)
	if err != nil {
		panic(err)
	}
	return m
}

// nistPoint is what a type of nistec's points does.
type nistPoint[P any] interface {
	Bytes() []byte
	SetBytes([]byte) (P, error)
	Add(P, P) P
	ScalarMult(P, []byte) (P, error)
	ScalarBaseMult([]byte) (P, error)
}

// nistGroup is a group of nistec.
type nistGroup[P nistPoint[P]] struct{ newPoint func() P }

func (g nistGroup[P]) onCurve(p []byte) bool {
	_, err := g.newPoint().SetBytes(p)
	return err == nil && len(p) > 1
}

func (g nistGroup[P]) multiply(scalar, p []byte) ([]byte, error) {
	q := g.newPoint()
	var err error
	if p == nil {
		q, err = q.ScalarBaseMult(scalar)
	} else {
		if q, err = q.SetBytes(p); err != nil {
			return nil, wire.RCECCPoint
		}
		q, err = q.ScalarMult(q, scalar)
	}
	if err != nil {
		return nil, wire.RCValue
	}
	return q.Bytes(), nil
}

func (g nistGroup[P]) add(p1, p2 []byte) ([]byte, error) {
	a, err1 := g.newPoint().SetBytes(p1)
	b, err2 := g.newPoint().SetBytes(p2)
	if err1 != nil || err2 != nil {
		return nil, wire.RCECCPoint
	}
	return a.Add(a, b).Bytes(), nil
}

// uncompressed returns p in the uncompressed form, or nil if a coordinate is too
// long. That the point is on the curve is checked by whoever uses it. A
// coordinate is a number: leading zeros more or fewer do not matter.
func (c *curve) uncompressed(p *wire.TPMSECCPoint) []byte {
	x, y := resize(p.X, c.size), resize(p.Y, c.size)
	if x == nil || y == nil {
		return nil
	}
	return append(append([]byte{4}, x...), y...)
}

// point undoes uncompressed. Infinity, which is a single zero byte, is
// TPM_RC_NO_RESULT: a TPM has no way to return it.
func (c *curve) point(b []byte) (wire.TPMSECCPoint, error) {
	if len(b) != 1+2*c.size {
		return wire.TPMSECCPoint{}, wire.RCNoResult
	}
	return wire.TPMSECCPoint{
		X: append([]byte(nil), b[1:1+c.size]...),
		Y: append([]byte(nil), b[1+c.size:]...),
	}, nil
}

// x returns the first coordinate of a point that is not infinity.
func (c *curve) x(point []byte) []byte { return point[1 : 1+c.size] }

// combine returns [u]G + [v]p, which verifies signatures. Nothing of it is secret.
func (c *curve) combine(u, v *bigmod.Nat, p []byte) ([]byte, error) {
	a, err := c.multiply(u.Bytes(c.order), nil)
	if err != nil {
		return nil, err
	}
	b, err := c.multiply(v.Bytes(c.order), p)
	if err != nil {
		return nil, err
	}
	return c.add(a, b)
}

// public returns [d]G for a scalar in 0 < d < n, of size bytes, and the key for the
// standard library's ECDSA, nil where the library has not the curve. Where it has, it
// is faster with its generator than nistec.
func (c *curve) public(d []byte) (point []byte, std *ecdsa.PrivateKey, err error) {
	if c.std == nil {
		point, err = c.multiply(d, nil)
		return point, nil, err
	}
	if std, err = ecdsa.ParseRawPrivateKey(c.std, d); err != nil {
		return nil, nil, wire.RCValue
	}
	point, err = std.PublicKey.Bytes()
	return point, std, err
}

// resize returns a copy of the big-endian number b in exactly n bytes, or nil if
// it does not fit.
func resize(b []byte, n int) []byte {
	for len(b) > n {
		if b[0] != 0 {
			return nil
		}
		b = b[1:]
	}
	out := make([]byte, n)
	copy(out[n-len(b):], b)
	return out
}
