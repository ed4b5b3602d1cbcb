package crypt

import (
	"io"

	"filippo.io/bigmod"

	"github.com/bootseal/bootseal/vtpm/internal/wire"
)

// CurveSize returns the bytes in a coordinate of the curve id, which is also the
// size of a private key, or 0 if the package does not know the curve.
func CurveSize(id wire.ECCCurve) int {
	if c := lookup(id); c != nil {
		return c.size
	}
	return 0
}

// OnCurve reports whether p is a point of the curve id. Infinity is not: no
// encoding of a TPM stands for it.
func OnCurve(id wire.ECCCurve, p *wire.TPMSECCPoint) bool {
	c := lookup(id)
	if c == nil {
		return false
	}
	b := c.uncompressed(p)
	return b != nil && c.onCurve(b)
}

// PointMultiply returns [scalar]p on the curve id, or [scalar]G for a nil p:
// ECDH with the cofactor, which is 1 on all these curves (Part 1, "ECDH"; Part
// 3, "TPM2_ECDH_ZGen"). The result's coordinates have the curve's full size.
// Errors: TPM_RC_CURVE, TPM_RC_ECC_POINT if p is not on the curve, TPM_RC_VALUE
// for a scalar outside 0 < scalar < n.
func PointMultiply(id wire.ECCCurve, scalar []byte, p *wire.TPMSECCPoint) (wire.TPMSECCPoint, error) {
	c := lookup(id)
	if c == nil {
		return wire.TPMSECCPoint{}, wire.RCCurve
	}
	var at []byte
	if p != nil {
		if at = c.uncompressed(p); at == nil {
			return wire.TPMSECCPoint{}, wire.RCECCPoint
		}
	}
	d := resize(scalar, c.size)
	if !c.validScalar(d) {
		return wire.TPMSECCPoint{}, wire.RCValue
	}
	defer clear(d)
	product, err := c.multiply(d, at)
	if err != nil {
		return wire.TPMSECCPoint{}, err
	}
	defer clear(product)
	return c.point(product)
}

// ephemeral makes a key pair of the curve with bytes of rand, by rejection (FIPS
// 186-5, A.2.2, "ECDSA Key Pair Generation by Rejection Sampling"). A failing
// source is TPM_RC_NO_RESULT.
func (c *curve) ephemeral(rand io.Reader) (d []byte, q wire.TPMSECCPoint, err error) {
	d = make([]byte, c.size)
	for {
		if _, err := io.ReadFull(rand, d); err != nil {
			return nil, wire.TPMSECCPoint{}, wire.RCNoResult
		}
		if excess := 8*c.size - c.Params().N.BitLen(); excess > 0 {
			d[0] >>= excess
		}
		if c.validScalar(d) {
			break
		}
	}
	b, err := c.multiply(d, nil)
	if err != nil {
		return nil, wire.TPMSECCPoint{}, err
	}
	q, err = c.point(b)
	return d, q, err
}

// clearPoint overwrites a shared point: either coordinate gives away the other.
func clearPoint(p *wire.TPMSECCPoint) {
	clear(p.X)
	clear(p.Y)
}

// validScalar reports whether d, in c.size bytes, is in 0 < d < n.
func (c *curve) validScalar(d []byte) bool {
	n, err := bigmod.NewModulus(c.Params().N.Bytes())
	if err != nil || d == nil {
		return false
	}
	v, err := bigmod.NewNat().SetBytes(d, n)
	return err == nil && v.IsZero() == 0
}
