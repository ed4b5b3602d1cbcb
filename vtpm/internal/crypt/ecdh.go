package crypt

import (
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
		if at = c.uncompressed(p); at == nil || !c.onCurve(at) {
			return wire.TPMSECCPoint{}, wire.RCECCPoint
		}
	}
	d := resize(scalar, c.size)
	if d == nil || !c.validScalar(d) {
		return wire.TPMSECCPoint{}, wire.RCValue
	}
	defer clear(d)
	var product []byte
	var err error
	if at == nil {
		product, _, err = c.public(d)
	} else {
		product, err = c.multiply(d, at)
	}
	if err != nil {
		return wire.TPMSECCPoint{}, err
	}
	defer clear(product)
	return c.point(product)
}

// clearPoint overwrites a shared point: either coordinate gives away the other.
func clearPoint(p *wire.TPMSECCPoint) {
	clear(p.X)
	clear(p.Y)
}
