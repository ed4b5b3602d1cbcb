package command

import (
	"github.com/bootseal/bootseal/vtpm/internal/engine"
	"github.com/bootseal/bootseal/vtpm/internal/wire"
)

type nvDefineSpaceIn struct {
	AuthHandle wire.TPMIRHProvision
	Auth       wire.TPM2BAuth
	PublicInfo wire.TPM2BNVPublic
}

// TPM2_NV_DefineSpace, Part 3, 31.3: define the attributes of an NV Index and
// reserve space for its data.
func nvDefineSpace(t *engine.TPM, in *nvDefineSpaceIn) error {
	return defineNV(t, in.AuthHandle.Handle(), in.Auth, in.PublicInfo.NVPublic)
}
