package crypt

import (
	"crypto/ecdsa"
	"crypto/elliptic"

	"filippo.io/nistec"

	"github.com/bootseal/bootseal/vtpm/internal/wire"
)

// curve joins the two views of an elliptic curve that the package needs: the
// standard library's for keys and ECDSA, and whole points. Points are in the
// uncompressed form of SEC 1, scalars have size bytes.
type curve struct {
	elliptic.Curve
	size int // bytes in a coordinate, and in a scalar

	onCurve  func(point []byte) bool
	multiply func(scalar, point []byte) ([]byte, error) // a nil point is the generator
}

// largestCurve bounds the coordinates in a buffer that only crypt reads.
const largestCurve = wire.CurveNISTP521

// lookup returns the curve id, or nil if the package does not know it.
func lookup(id wire.ECCCurve) *curve {
	switch id {
	case wire.CurveNISTP224:
		return newCurve(elliptic.P224(), nistec.NewP224Point)
	case wire.CurveNISTP256:
		return newCurve(elliptic.P256(), nistec.NewP256Point)
	case wire.CurveNISTP384:
		return newCurve(elliptic.P384(), nistec.NewP384Point)
	case wire.CurveNISTP521:
		return newCurve(elliptic.P521(), nistec.NewP521Point)
	default:
		return nil
	}
}

type point[P any] interface {
	Bytes() []byte
	SetBytes([]byte) (P, error)
	ScalarMult(P, []byte) (P, error)
	ScalarBaseMult([]byte) (P, error)
}

func newCurve[P point[P]](c elliptic.Curve, newPoint func() P) *curve {
	return &curve{
		Curve: c,
		size:  (c.Params().BitSize + 7) / 8,
		onCurve: func(p []byte) bool {
			_, err := newPoint().SetBytes(p)
			return err == nil
		},
		multiply: func(scalar, p []byte) ([]byte, error) {
			if p == nil {
				q, err := newPoint().ScalarBaseMult(scalar)
				if err != nil {
					return nil, wire.RCValue
				}
				return q.Bytes(), nil
			}
			q, err := newPoint().SetBytes(p)
			if err != nil {
				return nil, wire.RCECCPoint
			}
			if q, err = newPoint().ScalarMult(q, scalar); err != nil {
				return nil, wire.RCValue
			}
			return q.Bytes(), nil
		},
	}
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

// privateKey returns the key with scalar d and its public point, or nil unless
// 0 < d < n.
func (c *curve) privateKey(d []byte) *ecdsa.PrivateKey {
	padded := resize(d, c.size)
	if padded == nil {
		return nil
	}
	defer clear(padded)
	k, err := ecdsa.ParseRawPrivateKey(c.Curve, padded)
	if err != nil {
		return nil
	}
	return k
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
