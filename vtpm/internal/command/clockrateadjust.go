package command

import (
	"github.com/bootseal/bootseal/vtpm/internal/engine"
	"github.com/bootseal/bootseal/vtpm/internal/wire"
)

type clockRateAdjustIn struct {
	Auth       wire.TPMIRHProvision
	RateAdjust wire.ClockAdjust
}

// TPM2_ClockRateAdjust, Part 3, 29.3: let Clock and Time run a step faster or
// slower.
func clockRateAdjust(t *engine.TPM, in *clockRateAdjustIn) error {
	t.Clock.AdjustRate(in.RateAdjust)
	return nil
}
