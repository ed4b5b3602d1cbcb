package command

import (
	"bytes"

	"github.com/bootseal/bootseal/vtpm/internal/engine"
	"github.com/bootseal/bootseal/vtpm/internal/wire"
)

type hierarchyChangeAuthIn struct {
	AuthHandle wire.TPMIRHHierarchyAuth
	NewAuth    wire.TPM2BAuth
}

// TPM2_HierarchyChangeAuth, Part 3, 24.8: set the authValue of a hierarchy or of
// the lockout authority. The platform's lasts until the next Startup(CLEAR).
func hierarchyChangeAuth(t *engine.TPM, in *hierarchyChangeAuthIn) error {
	handle := in.AuthHandle.Handle()
	x := t.Hierarchies.At(handle)
	clear(x.Auth)
	x.Auth = bytes.Clone(engine.TrimAuth(in.NewAuth))
	t.MarkHierarchy(handle)
	return nil
}
