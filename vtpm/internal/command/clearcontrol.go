package command

import (
	"github.com/bootseal/bootseal/vtpm/internal/engine"
	"github.com/bootseal/bootseal/vtpm/internal/wire"
)

type clearControlIn struct {
	Auth    wire.TPMIRHClear
	Disable wire.TPMIYesNo
}

// TPM2_ClearControl, Part 3, 24.7: disable or enable TPM2_Clear. The lockout
// authority may only disable it.
func clearControl(t *engine.TPM, in *clearControlIn) error {
	if in.Auth.Handle() == wire.HandleLockout && !bool(in.Disable) {
		return wire.RCAuthFail // without a position, as the reference has it
	}
	t.Hierarchies.DisableClear = bool(in.Disable)
	t.Mark(engine.RecordHierarchies)
	return nil
}
