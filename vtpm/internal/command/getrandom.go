package command

import (
	"github.com/bootseal/bootseal/vtpm/internal/engine"
	"github.com/bootseal/bootseal/vtpm/internal/wire"
)

type getRandomIn struct {
	BytesRequested uint16
}

type getRandomOut struct {
	RandomBytes wire.TPM2BDigest
}

// TPM2_GetRandom, Part 3, 16.1: return random bytes.
//
// "If more bytes are requested than will fit into a TPM2B_DIGEST, then no error
// is returned, but the TPM will only return as much data as will fit."
func getRandom(t *engine.TPM, in *getRandomIn) (*getRandomOut, error) {
	b, err := t.RandomBytes(min(int(in.BytesRequested), wire.MaxDigest))
	if err != nil {
		return nil, err
	}
	return &getRandomOut{RandomBytes: b}, nil
}
