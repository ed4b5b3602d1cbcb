package command

import (
	"github.com/bootseal/bootseal/vtpm/internal/crypt"
	"github.com/bootseal/bootseal/vtpm/internal/engine"
	"github.com/bootseal/bootseal/vtpm/internal/wire"
)

type zGen2PhaseIn struct {
	KeyA     wire.TPMIDHObject
	InQsB    wire.TPM2BECCPoint
	InQeB    wire.TPM2BECCPoint
	InScheme wire.TPMIECCKeyExchange
	Counter  uint16
}

type zGen2PhaseOut struct {
	OutZ1 wire.TPM2BECCPoint
	OutZ2 wire.TPM2BECCPoint
}

// TPM2_ZGen_2Phase, Part 3, 14.7: return what two parties share that each have a
// static and an ephemeral key; the TPM's ephemeral one is TPM2_EC_Ephemeral's, to be
// used once.
func zGen2Phase(t *engine.TPM, in *zGen2PhaseIn) (*zGen2PhaseOut, error) {
	key := t.Objects.At(in.KeyA.Handle())
	if err := checkECDHKey(key); err != nil {
		return nil, err
	}
	scheme := wire.Alg(in.InScheme)
	if s := key.Public.Parameters.ECC.Scheme.Scheme; s != wire.AlgNull && s != scheme {
		return nil, wire.RCScheme.Param(3)
	}
	curve := key.Public.Parameters.ECC.CurveID
	if !crypt.OnCurve(curve, &in.InQsB.Point) {
		return nil, wire.RCECCPoint.Param(1)
	}
	if !crypt.OnCurve(curve, &in.InQeB.Point) {
		return nil, wire.RCECCPoint.Param(2)
	}
	r, err := t.CommittedRandom(in.Counter, curve, nil)
	if err != nil {
		return nil, err.(wire.RC).Param(4)
	}
	defer clear(r)
	z1, z2, err := crypt.TwoPhase(curve, scheme, key.Sensitive.Sensitive, r, &in.InQsB.Point, &in.InQeB.Point)
	if err != nil {
		return nil, err
	}
	t.EndCommit(in.Counter)
	return &zGen2PhaseOut{OutZ1: wire.TPM2BECCPoint{Point: z1}, OutZ2: wire.TPM2BECCPoint{Point: z2}}, nil
}
