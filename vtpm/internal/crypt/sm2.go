package crypt

import (
	"io"

	"filippo.io/bigmod"
)

// SM2 signatures (GB/T 32918.2). What is signed is the digest e of the standard,
// over the message and the signer's identity: the caller makes it.

func (c *curve) signSM2(rand io.Reader, d *bigmod.Nat, digest []byte) (r, s []byte, err error) {
	e := c.reduced(digest)
	f := field{c.order}
	inverse := c.inverse(f.one().Add(d, c.order))
	for {
		k, point, err := c.keyPair(rand)
		if err != nil {
			return nil, nil, err
		}
		x := c.reduced(c.x(point)).Add(e, c.order)
		if x.IsZero() == 1 || f.plus(x, k).IsZero() == 1 {
			continue
		}
		y := f.minus(k, f.times(x, d)).Mul(inverse, c.order)
		if y.IsZero() == 0 {
			return c.bytes(x), c.bytes(y), nil
		}
	}
}

func (c *curve) verifySM2(q []byte, r, s *bigmod.Nat, digest []byte) bool {
	t := field{c.order}.plus(r, s)
	if t.IsZero() == 1 {
		return false
	}
	point, err := c.combine(s, t, q)
	if err != nil || len(point) == 1 {
		return false
	}
	return c.reduced(c.x(point)).Add(c.reduced(digest), c.order).Equal(r) == 1
}
