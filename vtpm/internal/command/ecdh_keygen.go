package command

import (
	"github.com/bootseal/bootseal/vtpm/internal/crypt"
	"github.com/bootseal/bootseal/vtpm/internal/engine"
	"github.com/bootseal/bootseal/vtpm/internal/wire"
)

type ecdhKeyGenIn struct {
	KeyHandle wire.TPMIDHObject
}

type ecdhKeyGenOut struct {
	ZPoint   wire.TPM2BECCPoint
	PubPoint wire.TPM2BECCPoint
}

// TPM2_ECDH_KeyGen, Part 3, 14.4: make an ephemeral key, and return its public
// point, for the holder of another key, and what the two keys share.
func ecdhKeyGen(t *engine.TPM, in *ecdhKeyGenIn) (*ecdhKeyGenOut, error) {
	key := t.Objects.At(in.KeyHandle.Handle())
	if key.Public.Type != wire.AlgECC {
		return nil, wire.RCKey.Handle(1)
	}
	curve := key.Public.Parameters.ECC.CurveID
	d, q, err := crypt.NewKeyPair(t.Entropy(), curve)
	if err != nil {
		return nil, err
	}
	defer clear(d)
	z, err := crypt.PointMultiply(curve, d, &key.Public.Unique.ECC)
	if err != nil {
		// A public point that was never checked, since the key has no nameAlg.
		return nil, wire.RCKey.Handle(1)
	}
	return &ecdhKeyGenOut{ZPoint: wire.TPM2BECCPoint{Point: z}, PubPoint: wire.TPM2BECCPoint{Point: q}}, nil
}
