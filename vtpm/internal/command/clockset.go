package command

import (
	"github.com/bootseal/bootseal/vtpm/internal/engine"
	"github.com/bootseal/bootseal/vtpm/internal/wire"
)

type clockSetIn struct {
	Auth    wire.TPMIRHProvision
	NewTime uint64 // milliseconds
}

// maxClock bounds what Clock can be set to, so that it never rolls over.
const maxClock = 0xFFFF_0000_0000_0000

// TPM2_ClockSet, Part 3, 29.2: set Clock forward.
func clockSet(t *engine.TPM, in *clockSetIn) error {
	if in.NewTime > maxClock || in.NewTime < t.Clock.Clock {
		return wire.RCValue.Param(1)
	}
	t.Clock.Set(in.NewTime)
	return nil
}
