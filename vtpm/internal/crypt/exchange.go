package crypt

import (
	"filippo.io/bigmod"

	"github.com/bootseal/bootseal/vtpm/internal/wire"
)

// TwoPhase computes what two parties share that each have a static and an
// ephemeral key (Part 3, "TPM2_ZGen_2Phase"), from the TPM's private keys static
// and ephemeral and the other's public keys qs and qe on the curve id, with scheme
//
//   - TPM_ALG_ECDH: z1 of the static and z2 of the ephemeral keys (SP 800-56A,
//     "Full Unified Model, C(2e, 2s, ECC CDH)");
//   - TPM_ALG_ECMQV: z1 alone (SP 800-56A, "Full MQV, C(2e, 2s, ECC MQV)");
//   - TPM_ALG_SM2: z1 alone, the point from which GB/T 32918.3 derives a key.
//
// Errors: TPM_RC_CURVE, TPM_RC_SCHEME, TPM_RC_ECC_POINT for a point that is not on
// the curve, TPM_RC_VALUE for a private key that is none, TPM_RC_NO_RESULT where
// the result is infinity.
func TwoPhase(id wire.ECCCurve, scheme wire.Alg, static, ephemeral []byte, qs, qe *wire.TPMSECCPoint) (z1, z2 wire.TPMSECCPoint, err error) {
	if scheme == wire.AlgECDH {
		if z1, err = PointMultiply(id, static, qs); err != nil {
			return z1, z2, err
		}
		z2, err = PointMultiply(id, ephemeral, qe)
		return z1, z2, err
	}
	c := lookup(id)
	if c == nil {
		return z1, z2, wire.RCCurve
	}
	ds, de := c.scalar(static), c.scalar(ephemeral)
	if ds == nil || de == nil {
		return z1, z2, wire.RCValue
	}
	s, e := c.uncompressed(qs), c.uncompressed(qe)
	if s == nil || e == nil || !c.onCurve(s) || !c.onCurve(e) {
		return z1, z2, wire.RCECCPoint
	}
	var z []byte
	switch scheme {
	case wire.AlgECMQV:
		// The ephemeral key, and as much of the static one as half of it says.
		z, err = c.implicit(de, ds, de, e, s, e, (c.order.BitLen()+1)/2)
	case wire.AlgSM2:
		// The other way around, and one bit less.
		z, err = c.implicit(ds, de, de, s, e, e, (c.order.BitLen()+1)/2-1)
	default:
		err = wire.RCScheme
	}
	if err != nil {
		return z1, z2, err
	}
	defer clear(z)
	z1, err = c.point(z)
	return z1, z2, err
}

// implicit returns [d + a·m](p + [b]q), where a and b are the associated values of
// the two ephemeral keys: of own, which is private, and of other.
func (c *curve) implicit(d, m, own *bigmod.Nat, p, q, other []byte, bits int) ([]byte, error) {
	public, _, err := c.public(c.bytes(own))
	if err != nil {
		return nil, err
	}
	t := c.bytes(c.mulAdd(c.associated(public, bits), m, d))
	defer clear(t)
	sum, err := c.multiply(c.bytes(c.associated(other, bits)), q)
	if err != nil {
		return nil, err
	}
	if sum, err = c.add(p, sum); err != nil {
		return nil, err
	}
	return c.multiply(t, sum)
}

// associated returns the associated value of a public key: the number of the last
// bits of its first coordinate, with the bit above them set.
func (c *curve) associated(point []byte, bits int) *bigmod.Nat {
	b := append([]byte(nil), c.x(point)...)
	at := len(b) - 1 - bits/8
	clear(b[:at])
	b[at] = b[at]&(1<<(bits%8)-1) | 1<<(bits%8)
	return c.reduced(b)
}
