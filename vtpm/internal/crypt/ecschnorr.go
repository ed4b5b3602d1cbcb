package crypt

import (
	"io"

	"filippo.io/bigmod"

	"github.com/bootseal/bootseal/vtpm/internal/wire"
)

// EC Schnorr as a TPM has it (Part 1, "EC Schnorr"): r = H(x of [k]G || digest),
// cut to the size of the order, and s = k + rd.

func (c *curve) signSchnorr(rand io.Reader, d *bigmod.Nat, hashAlg wire.Alg, digest []byte) (r, s []byte, err error) {
	if Size(hashAlg) == 0 {
		return nil, nil, wire.RCScheme
	}
	for {
		k, point, err := c.keyPair(rand)
		if err != nil {
			return nil, nil, err
		}
		// A digest that is not below the order would make a signature that no TPM
		// accepts.
		e := c.scalar(c.schnorrDigest(hashAlg, point, digest))
		if e == nil {
			continue
		}
		if y := c.mulAdd(e, d, k); y.IsZero() == 0 {
			return c.bytes(e), c.bytes(y), nil
		}
	}
}

func (c *curve) verifySchnorr(q []byte, r, s *bigmod.Nat, hashAlg wire.Alg, digest []byte) bool {
	if Size(hashAlg) == 0 {
		return false
	}
	point, err := c.combine(s, c.negative(r), q)
	if err != nil || len(point) == 1 {
		return false
	}
	e := c.scalar(c.schnorrDigest(hashAlg, point, digest))
	return e != nil && e.Equal(r) == 1
}

func (c *curve) schnorrDigest(hashAlg wire.Alg, point, digest []byte) []byte {
	h := Digest(hashAlg, c.x(point), digest)
	return h[:min(len(h), c.size)]
}
