package command

import (
	"github.com/bootseal/bootseal/vtpm/internal/crypt"
	"github.com/bootseal/bootseal/vtpm/internal/engine"
	"github.com/bootseal/bootseal/vtpm/internal/wire"
)

type eccParametersIn struct {
	CurveID wire.TPMIECCCurve
}

type eccParametersOut struct {
	Parameters wire.TPMSAlgorithmDetailECC
}

// TPM2_ECC_Parameters, Part 3, 14.6: return the parameters of a curve.
func eccParameters(_ *engine.TPM, in *eccParametersIn) (*eccParametersOut, error) {
	p, err := crypt.CurveParameters(wire.ECCCurve(in.CurveID))
	if err != nil {
		return nil, err.(wire.RC).Param(1)
	}
	return &eccParametersOut{Parameters: p}, nil
}
