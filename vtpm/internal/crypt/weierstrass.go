package crypt

import (
	"crypto/subtle"

	"filippo.io/bigmod"

	"github.com/bootseal/bootseal/vtpm/internal/wire"
)

// weierstrass is the group of a curve y² = x³ + ax + b of prime order, for the
// curves that nistec has not. The field is bigmod's, whose operations are
// constant-time; what is done with them here neither branches on a coordinate or
// on a scalar nor uses one as an index.
type weierstrass struct {
	field
	a, b, b3  *bigmod.Nat // b3 is 3b
	generator *projective
	minusTwo  []byte // p - 2, for inverses
}

// projective is a point (x/z, y/z); infinity has z = 0.
type projective struct {
	x, y, z *bigmod.Nat
}

func newWeierstrass(d *domain) *weierstrass {
	w := &weierstrass{field: field{modulus(d.p)}, minusTwo: lessBy(d.p, 2)}
	w.a, w.b = w.element(d.a), w.element(d.b)
	w.b3 = w.add3(w.b)
	w.generator = &projective{w.element(d.gx), w.element(d.gy), w.one()}
	return w
}

// field is arithmetic modulo a prime. Its functions return new elements.
type field struct{ p *bigmod.Modulus }

// element returns the element of a constant or of bytes that are known to be
// below p.
func (f field) element(b []byte) *bigmod.Nat {
	x, err := f.decode(b)
	if err != nil {
		panic(err)
	}
	return x
}

func (f field) decode(b []byte) (*bigmod.Nat, error) { return new(bigmod.Nat).SetBytes(b, f.p) }
func (f field) zero() *bigmod.Nat                    { return new(bigmod.Nat).ExpandFor(f.p) }
func (f field) one() *bigmod.Nat                     { return new(bigmod.Nat).SetUint(1).ExpandFor(f.p) }

func (f field) copy(x *bigmod.Nat) *bigmod.Nat {
	z := f.zero()
	copy(z.Bits(), x.Bits())
	return z
}

func (f field) plus(x, y *bigmod.Nat) *bigmod.Nat  { return f.copy(x).Add(y, f.p) }
func (f field) minus(x, y *bigmod.Nat) *bigmod.Nat { return f.copy(x).Sub(y, f.p) }
func (f field) times(x, y *bigmod.Nat) *bigmod.Nat { return f.copy(x).Mul(y, f.p) }
func (f field) add3(x *bigmod.Nat) *bigmod.Nat     { return f.copy(x).Add(x, f.p).Add(x, f.p) }

// polynomial returns x³ + ax + b.
func (w *weierstrass) polynomial(x *bigmod.Nat) *bigmod.Nat {
	return w.plus(w.times(w.plus(w.times(x, x), w.a), x), w.b)
}

// decodePoint reads a point; infinity is one too.
func (w *weierstrass) decodePoint(b []byte) (*projective, bool) {
	if len(b) == 1 && b[0] == 0 {
		return w.infinity(), true
	}
	n := w.p.Size()
	if len(b) != 1+2*n || b[0] != 4 {
		return nil, false
	}
	x, errX := w.decode(b[1 : 1+n])
	y, errY := w.decode(b[1+n:])
	if errX != nil || errY != nil || w.times(y, y).Equal(w.polynomial(x)) != 1 {
		return nil, false
	}
	return &projective{x, y, w.one()}, true
}

func (w *weierstrass) encodePoint(p *projective) []byte {
	if p.z.IsZero() == 1 {
		return []byte{0}
	}
	inverse := new(bigmod.Nat).Exp(p.z, w.minusTwo, w.p)
	out := append(make([]byte, 0, 1+2*w.p.Size()), 4)
	out = append(out, w.times(p.x, inverse).Bytes(w.p)...)
	return append(out, w.times(p.y, inverse).Bytes(w.p)...)
}

func (w *weierstrass) onCurve(b []byte) bool {
	_, ok := w.decodePoint(b)
	return ok && len(b) > 1
}

func (w *weierstrass) add(b1, b2 []byte) ([]byte, error) {
	p, ok1 := w.decodePoint(b1)
	q, ok2 := w.decodePoint(b2)
	if !ok1 || !ok2 {
		return nil, wire.RCECCPoint
	}
	return w.encodePoint(w.sum(p, q)), nil
}

// multiply goes through the scalar by four bits, from the most significant ones:
// four doublings and an addition each, whatever the bits are.
func (w *weierstrass) multiply(scalar, b []byte) ([]byte, error) {
	p := w.generator
	if b != nil {
		var ok bool
		if p, ok = w.decodePoint(b); !ok {
			return nil, wire.RCECCPoint
		}
	}
	var table [16]*projective // multiples of p
	table[0] = w.infinity()
	for i := 1; i < len(table); i++ {
		table[i] = w.sum(table[i-1], p)
	}
	r := w.infinity()
	for _, digits := range scalar {
		for _, digit := range [2]byte{digits >> 4, digits & 0xF} {
			for range 4 {
				r = w.sum(r, r)
			}
			r = w.sum(r, w.pick(&table, digit))
		}
	}
	return w.encodePoint(r), nil
}

// pick returns table[at] and touches all of the table.
func (w *weierstrass) pick(table *[16]*projective, at byte) *projective {
	r := &projective{w.zero(), w.zero(), w.zero()}
	for i, p := range table {
		mask := -uint(subtle.ConstantTimeByteEq(at, byte(i)))
		for _, c := range [3][2]*bigmod.Nat{{r.x, p.x}, {r.y, p.y}, {r.z, p.z}} {
			to, from := c[0].Bits(), c[1].Bits()
			for j := range to {
				to[j] |= mask & from[j]
			}
		}
	}
	return r
}

func (w *weierstrass) infinity() *projective { return &projective{w.zero(), w.one(), w.zero()} }

// sum returns p + q, by formulas that hold for any two points of a curve of odd
// order, infinity and equal ones included: "Complete addition formulas for prime
// order elliptic curves" (Renes, Costello, Batina; 2015), equation 2.
func (w *weierstrass) sum(p, q *projective) *projective {
	xx, yy, zz := w.times(p.x, q.x), w.times(p.y, q.y), w.times(p.z, q.z)
	xy := w.cross(p.x, p.y, q.x, q.y, xx, yy)
	xz := w.cross(p.x, p.z, q.x, q.z, xx, zz)
	yz := w.cross(p.y, p.z, q.y, q.z, yy, zz)

	azz := w.times(w.a, zz)
	s := w.plus(w.times(w.a, xz), w.times(w.b3, zz))               // a·xz + 3b·zz
	t := w.plus(w.add3(xx), azz)                                   // 3xx + a·zz
	u := w.plus(w.times(w.a, w.minus(xx, azz)), w.times(w.b3, xz)) // a·xx + 3b·xz - a²·zz
	less, more := w.minus(yy, s), w.plus(yy, s)

	return &projective{
		x: w.minus(w.times(xy, less), w.times(yz, u)),
		y: w.plus(w.times(more, less), w.times(t, u)),
		z: w.plus(w.times(yz, more), w.times(xy, t)),
	}
}

// cross returns a1·b2 + a2·b1, given aa = a1·a2 and bb = b1·b2.
func (w *weierstrass) cross(a1, b1, a2, b2, aa, bb *bigmod.Nat) *bigmod.Nat {
	return w.times(w.plus(a1, b1), w.plus(a2, b2)).Sub(aa, w.p).Sub(bb, w.p)
}
