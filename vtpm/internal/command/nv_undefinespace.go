package command

import (
	"github.com/bootseal/bootseal/vtpm/internal/engine"
	"github.com/bootseal/bootseal/vtpm/internal/wire"
)

type nvUndefineSpaceIn struct {
	AuthHandle wire.TPMIRHProvision
	NVIndex    wire.TPMIRHNVDefinedIndex
}

// TPM2_NV_UndefineSpace, Part 3, 31.4: remove an NV Index.
func nvUndefineSpace(t *engine.TPM, in *nvUndefineSpaceIn) error {
	x := t.NV.At(in.NVIndex.Handle())
	if x.Has(wire.NVPolicyDelete) {
		return wire.RCAttributes.Handle(2)
	}
	// The platform may remove the owner's indices, not the other way round.
	if in.AuthHandle.Handle() == wire.HandleOwner && x.Has(wire.NVPlatformCreate) {
		return wire.RCNVAuthorization
	}
	t.UndefineNV(x.Public.NVIndex)
	return nil
}
