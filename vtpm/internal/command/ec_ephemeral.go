package command

import (
	"github.com/bootseal/bootseal/vtpm/internal/crypt"
	"github.com/bootseal/bootseal/vtpm/internal/engine"
	"github.com/bootseal/bootseal/vtpm/internal/wire"
)

type ecEphemeralIn struct {
	CurveID wire.TPMIECCCurve
}

type ecEphemeralOut struct {
	Q       wire.TPM2BECCPoint
	Counter uint16
}

// TPM2_EC_Ephemeral, Part 3, 19.3: make an ephemeral key for TPM2_ZGen_2Phase. The
// TPM keeps no more of it than its number.
func ecEphemeral(t *engine.TPM, in *ecEphemeralIn) (*ecEphemeralOut, error) {
	curve := wire.ECCCurve(in.CurveID)
	r, err := t.CommitRandom(curve, nil)
	if err != nil {
		return nil, err
	}
	defer clear(r)
	q, err := crypt.PointMultiply(curve, r, nil)
	if err != nil {
		return nil, err
	}
	return &ecEphemeralOut{Q: wire.TPM2BECCPoint{Point: q}, Counter: t.CountCommit()}, nil
}
