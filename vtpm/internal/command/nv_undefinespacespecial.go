package command

import (
	"github.com/bootseal/bootseal/vtpm/internal/engine"
	"github.com/bootseal/bootseal/vtpm/internal/wire"
)

type nvUndefineSpaceSpecialIn struct {
	NVIndex  wire.TPMIRHNVDefinedIndex
	Platform wire.TPMIRHPlatform
}

// TPM2_NV_UndefineSpaceSpecial, Part 3, 31.5: remove an NV Index of the platform
// that only its own policy may remove.
func nvUndefineSpaceSpecial(t *engine.TPM, in *nvUndefineSpaceSpecialIn) error {
	x := t.NV.At(in.NVIndex.Handle())
	if !x.Has(wire.NVPolicyDelete) {
		return wire.RCAttributes.Handle(1)
	}
	t.UndefineNV(x.Public.NVIndex)
	return nil
}
