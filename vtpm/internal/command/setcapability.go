package command

import (
	"github.com/bootseal/bootseal/vtpm/internal/engine"
	"github.com/bootseal/bootseal/vtpm/internal/wire"
)

type setCapabilityIn struct {
	AuthHandle        wire.TPMIRHHierarchy
	SetCapabilityData wire.TPM2BSetCapabilityData
}

// TPM2_SetCapability, Part 3, 30.4: change a capability. There is none that can be
// changed, so that decoding fails already.
func setCapability(*engine.TPM, *setCapabilityIn) error {
	return wire.RCSelector.Param(1)
}
