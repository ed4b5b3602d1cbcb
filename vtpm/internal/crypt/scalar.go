package crypt

import (
	"io"

	"filippo.io/bigmod"

	"github.com/bootseal/bootseal/vtpm/internal/wire"
)

// Arithmetic modulo the order of a curve, which is bigmod's: constant-time.

// reduce returns the big-endian number b of any length modulo m.
func reduce(b []byte, m *bigmod.Modulus) *bigmod.Nat {
	// bigmod takes a number only as reduced by some modulus: here one above it.
	above := make([]byte, len(b)+1)
	above[0], above[len(b)] = 1, 1
	wide, err := bigmod.NewModulus(above)
	if err != nil {
		panic(err) // it is not below 257
	}
	x, err := new(bigmod.Nat).SetBytes(b, wide)
	if err != nil {
		panic(err) // it is below wide
	}
	return new(bigmod.Nat).Mod(x, m)
}

// reduced returns the number b modulo the curve's order.
func (c *curve) reduced(b []byte) *bigmod.Nat {
	if len(b) == 0 {
		return new(bigmod.Nat).ExpandFor(c.order)
	}
	return reduce(b, c.order)
}

// scalar returns the number b, or nil unless it is in 0 < b < n.
func (c *curve) scalar(b []byte) *bigmod.Nat {
	padded := resize(b, c.size)
	if padded == nil {
		return nil
	}
	defer clear(padded)
	v, err := new(bigmod.Nat).SetBytes(padded, c.order)
	if err != nil || v.IsZero() == 1 {
		return nil
	}
	return v
}

// validScalar reports whether d is in 0 < d < n.
func (c *curve) validScalar(d []byte) bool { return c.scalar(d) != nil }

// bytes returns a number below the order in size bytes.
func (c *curve) bytes(x *bigmod.Nat) []byte { return x.Bytes(c.order) }

// inverse returns 1/x, by Fermat's theorem.
func (c *curve) inverse(x *bigmod.Nat) *bigmod.Nat {
	return new(bigmod.Nat).Exp(x, lessBy(c.domain.n, 2), c.order)
}

// lessBy returns the big-endian number b less by, in as many bytes. b is public, and
// not less than by.
func lessBy(b []byte, by byte) []byte {
	out := append([]byte(nil), b...)
	for i := len(out) - 1; ; i-- {
		borrow := out[i] < by
		out[i] -= by
		if !borrow {
			return out
		}
		by = 1
	}
}

// mulAdd returns xy + z.
func (c *curve) mulAdd(x, y, z *bigmod.Nat) *bigmod.Nat {
	return field{c.order}.times(x, y).Add(z, c.order)
}

// negative returns -x.
func (c *curve) negative(x *bigmod.Nat) *bigmod.Nat {
	return new(bigmod.Nat).ExpandFor(c.order).Sub(x, c.order)
}

// NewKeyPair makes a key pair of the curve id with bytes of rand, by rejection
// (FIPS 186-5, A.2.2, "ECDSA Key Pair Generation by Rejection Sampling"). Errors:
// TPM_RC_CURVE; a failing source is TPM_RC_NO_RESULT.
func NewKeyPair(rand io.Reader, id wire.ECCCurve) (d []byte, q wire.TPMSECCPoint, err error) {
	c := lookup(id)
	if c == nil {
		return nil, wire.TPMSECCPoint{}, wire.RCCurve
	}
	k, point, err := c.keyPair(rand)
	if err != nil {
		return nil, wire.TPMSECCPoint{}, err
	}
	q, err = c.point(point)
	return c.bytes(k), q, err
}

// keyPair is NewKeyPair in the forms that computations use.
func (c *curve) keyPair(rand io.Reader) (k *bigmod.Nat, point []byte, err error) {
	if k, err = c.randomScalar(rand); err != nil {
		return nil, nil, err
	}
	d := c.bytes(k)
	defer clear(d)
	point, _, err = c.public(d)
	return k, point, err
}

func (c *curve) randomScalar(rand io.Reader) (*bigmod.Nat, error) {
	d := make([]byte, c.size)
	defer clear(d)
	for {
		if _, err := io.ReadFull(rand, d); err != nil {
			return nil, wire.RCNoResult
		}
		if excess := 8*c.size - c.order.BitLen(); excess > 0 {
			d[0] &= 0xFF >> excess
		}
		if k := c.scalar(d); k != nil {
			return k, nil
		}
	}
}

// ScalarFrom returns 1 + extra mod (n-1), a scalar of the curve id (FIPS 186-4,
// B.4.1, "Key Pair Generation Using Extra Random Bits"), in as many bytes as a
// coordinate has. extra is to have eight bytes more than that. It is nil if the
// package does not know the curve.
func ScalarFrom(id wire.ECCCurve, extra []byte) []byte {
	c := lookup(id)
	if c == nil {
		return nil
	}
	r := reduce(extra, modulus(lessBy(c.domain.n, 1)))
	return c.bytes(field{c.order}.one().Add(r, c.order))
}
