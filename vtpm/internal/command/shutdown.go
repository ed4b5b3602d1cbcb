package command

import (
	"github.com/bootseal/bootseal/vtpm/internal/engine"
	"github.com/bootseal/bootseal/vtpm/internal/wire"
)

type shutdownIn struct {
	ShutdownType wire.SU
}

// TPM2_Shutdown, Part 3, 9.4: prepare the TPM for a loss of power.
func shutdown(t *engine.TPM, in *shutdownIn) error {
	return t.Shutdown(in.ShutdownType)
}
