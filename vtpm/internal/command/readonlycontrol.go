package command

import (
	"github.com/bootseal/bootseal/vtpm/internal/engine"
	"github.com/bootseal/bootseal/vtpm/internal/wire"
)

type readOnlyControlIn struct {
	AuthHandle wire.TPMIRHPlatform
	State      wire.TPMIYesNo
}

// TPM2_ReadOnlyControl, Part 3, 24.9: turn read-only mode on or off until the next
// Startup(CLEAR). In it, the TPM refuses what changes its persistent state.
func readOnlyControl(t *engine.TPM, in *readOnlyControlIn) error {
	if t.Hierarchies.ReadOnly != bool(in.State) {
		t.Hierarchies.ReadOnly = bool(in.State)
		t.ClearOrderly()
	}
	return nil
}
