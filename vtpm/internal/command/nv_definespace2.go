package command

import (
	"github.com/bootseal/bootseal/vtpm/internal/engine"
	"github.com/bootseal/bootseal/vtpm/internal/wire"
)

type nvDefineSpace2In struct {
	AuthHandle wire.TPMIRHProvision
	Auth       wire.TPM2BAuth
	PublicInfo wire.TPM2BNVPublic2
}

// TPM2_NV_DefineSpace2, Part 3, 31.17: TPM2_NV_DefineSpace for a public area that
// names its handle type.
//
// External and permanent indices cannot be defined: no command could use them.
func nvDefineSpace2(t *engine.TPM, in *nvDefineSpace2In) error {
	public := &in.PublicInfo.NVPublic2
	if public.HandleType != wire.HTNVIndex {
		return wire.RCHandle.Param(2)
	}
	return defineNV(t, in.AuthHandle.Handle(), in.Auth, public.NVIndex)
}
