package command

import (
	"github.com/bootseal/bootseal/vtpm/internal/engine"
	"github.com/bootseal/bootseal/vtpm/internal/wire"
)

type changePPSIn struct {
	AuthHandle wire.TPMIRHPlatform
}

// TPM2_ChangePPS, Part 3, 24.4: replace the platform seed, which forgets every
// object of the platform hierarchy. The platform's authValue and indices stay.
func changePPS(t *engine.TPM, _ *changePPSIn) error {
	p := &t.Hierarchies.Platform
	if err := p.Renew(t.RandomBytes); err != nil {
		return err
	}
	p.Policy, p.PolicyAlg = nil, wire.AlgNull
	t.FlushHierarchy(wire.HandlePlatform, true)
	t.Mark(engine.RecordHierarchies)
	t.ClearOrderly()
	return nil
}
