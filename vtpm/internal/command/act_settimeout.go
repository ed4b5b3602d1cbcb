package command

import (
	"github.com/bootseal/bootseal/vtpm/internal/engine"
	"github.com/bootseal/bootseal/vtpm/internal/wire"
)

type actSetTimeoutIn struct {
	ActHandle    wire.TPMIRHACT
	StartTimeout uint32 // seconds
}

// TPM2_ACT_SetTimeout, Part 3, 33.2: start an authenticated countdown timer, let it
// expire, or end its signal.
func actSetTimeout(t *engine.TPM, in *actSetTimeoutIn) error {
	return t.SetTimeout(t.ACTs.At(in.ActHandle.Handle()), in.StartTimeout)
}
