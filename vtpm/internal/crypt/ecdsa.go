package crypt

import (
	"crypto/ecdsa"
	"io"
	"math/big"

	"filippo.io/bigmod"

	"github.com/bootseal/bootseal/vtpm/internal/wire"
)

// ECDSA (FIPS 186-5, 6) on the curves that crypto/ecdsa has not. The nonce's
// inverse is an exponentiation, and the rest bigmod's arithmetic.

func (c *curve) signECDSA(rand io.Reader, d *bigmod.Nat, digest []byte) (r, s []byte, err error) {
	e := c.digestNumber(digest)
	for {
		k, point, err := c.keyPair(rand)
		if err != nil {
			return nil, nil, err
		}
		x := c.reduced(c.x(point))
		y := c.mulAdd(x, d, e).Mul(c.inverse(k), c.order)
		if x.IsZero() == 0 && y.IsZero() == 0 {
			return c.bytes(x), c.bytes(y), nil
		}
	}
}

func (c *curve) verifyECDSA(q []byte, r, s *bigmod.Nat, digest []byte) bool {
	w := c.inverse(s)
	u := c.digestNumber(digest).Mul(w, c.order)
	v := w.Mul(r, c.order)
	point, err := c.combine(u, v, q)
	return err == nil && len(point) > 1 && c.reduced(c.x(point)).Equal(r) == 1
}

// digestNumber returns the number of the leftmost bits of a digest. Of a digest
// that is longer than the order these are whole bytes: no order of a number of bits
// that is none of bytes is shorter than a digest.
func (c *curve) digestNumber(digest []byte) *bigmod.Nat {
	return c.reduced(digest[:min(len(digest), c.size)])
}

// verifyStandardECDSA is for the curves that crypto/ecdsa has.
func (c *curve) verifyStandardECDSA(q, digest []byte, sig *wire.TPMTSignature) bool {
	key, err := ecdsa.ParseUncompressedPublicKey(c.std, q)
	if err != nil {
		return false
	}
	return ecdsa.Verify(key, digest, new(big.Int).SetBytes(sig.R), new(big.Int).SetBytes(sig.S))
}
