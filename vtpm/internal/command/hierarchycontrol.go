package command

import (
	"github.com/bootseal/bootseal/vtpm/internal/engine"
	"github.com/bootseal/bootseal/vtpm/internal/wire"
)

type hierarchyControlIn struct {
	AuthHandle wire.TPMIRHBaseHierarchy
	Enable     wire.TPMIRHEnables `tpm:"parameter"`
	State      wire.TPMIYesNo
}

// TPM2_HierarchyControl, Part 3, 24.2: turn a hierarchy, or the platform's NV
// indices, on or off until the next Startup(CLEAR).
func hierarchyControl(t *engine.TPM, in *hierarchyControlIn) error {
	by, enable := in.AuthHandle.Handle(), in.Enable.Handle()
	// A hierarchy may turn itself off. Only the platform turns others off, and
	// only it turns one on again: for itself it takes a Startup, because platform
	// authorization does not work while it is off.
	if by != wire.HandlePlatform && (by != enable || bool(in.State) && !t.Hierarchies.Enabled(enable)) {
		return wire.RCAuthType
	}
	t.EnableHierarchy(enable, bool(in.State))
	return nil
}
