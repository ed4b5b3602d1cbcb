package command

import (
	"github.com/bootseal/bootseal/vtpm/internal/engine"
	"github.com/bootseal/bootseal/vtpm/internal/wire"
)

type startupIn struct {
	StartupType wire.SU
}

// TPM2_Startup, Part 3, 9.3: start the TPM after _TPM_Init, afresh or from the
// state that TPM2_Shutdown saved.
func startup(t *engine.TPM, in *startupIn) error {
	return t.Startup(in.StartupType, t.Command.Locality)
}
