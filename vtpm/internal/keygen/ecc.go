package keygen

import (
	"fmt"
	"io"

	"github.com/bootseal/bootseal/vtpm/internal/crypt"
	"github.com/bootseal/bootseal/vtpm/internal/wire"
)

// ECC returns a private scalar and the public point, big-endian, each number as
// long as the curve's field: 28 to 80 bytes. One Read of eight bytes more than that
// determines the key (FIPS 186-4, B.4.1, key pair generation using extra random
// bits).
//
// The error is TPM_RC_CURVE for a curve that package crypt does not know, or what
// the stream reports.
func ECC(stream Stream, id wire.ECCCurve) (d, x, y []byte, err error) {
	size := crypt.CurveSize(id)
	if size == 0 {
		return nil, nil, nil, wire.RCCurve
	}
	extra := make([]byte, size+8)
	defer clear(extra)
	if _, err := io.ReadFull(stream, extra); err != nil {
		return nil, nil, nil, fmt.Errorf("make a private scalar: %w", err)
	}
	d = crypt.ScalarFrom(id, extra)
	q, err := crypt.PointMultiply(id, d, nil)
	if err != nil {
		return nil, nil, nil, fmt.Errorf("compute a public point: %w", err)
	}
	return d, q.X, q.Y, nil
}
