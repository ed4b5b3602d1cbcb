package command

import (
	"github.com/bootseal/bootseal/vtpm/internal/crypt"
	"github.com/bootseal/bootseal/vtpm/internal/engine"
	"github.com/bootseal/bootseal/vtpm/internal/wire"
)

type ecdhZGenIn struct {
	KeyHandle wire.TPMIDHObject
	InPoint   wire.TPM2BECCPoint
}

type ecdhZGenOut struct {
	OutPoint wire.TPM2BECCPoint
}

// TPM2_ECDH_ZGen, Part 3, 14.5: return what a key and a public point share.
func ecdhZGen(t *engine.TPM, in *ecdhZGenIn) (*ecdhZGenOut, error) {
	key := t.Objects.At(in.KeyHandle.Handle())
	if err := checkECDHKey(key); err != nil {
		return nil, err
	}
	if s := key.Public.Parameters.ECC.Scheme.Scheme; s != wire.AlgECDH && s != wire.AlgNull {
		return nil, wire.RCScheme.Handle(1)
	}
	z, err := crypt.PointMultiply(key.Public.Parameters.ECC.CurveID, key.Sensitive.Sensitive, &in.InPoint.Point)
	if err != nil {
		return nil, err.(wire.RC).Param(1)
	}
	return &ecdhZGenOut{OutPoint: wire.TPM2BECCPoint{Point: z}}, nil
}
