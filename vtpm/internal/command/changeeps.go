package command

import (
	"github.com/bootseal/bootseal/vtpm/internal/engine"
	"github.com/bootseal/bootseal/vtpm/internal/wire"
)

type changeEPSIn struct {
	AuthHandle wire.TPMIRHPlatform
}

// TPM2_ChangeEPS, Part 3, 24.5: replace the endorsement seed, which forgets every
// object of the endorsement hierarchy, the endorsement key among them, and its
// authorizations.
func changeEPS(t *engine.TPM, _ *changeEPSIn) error {
	e := &t.Hierarchies.Endorsement
	if err := e.Renew(t.RandomBytes); err != nil {
		return err
	}
	e.ClearAuthorization()
	e.Enabled = true
	t.FlushHierarchy(wire.HandleEndorsement, true)
	t.Mark(engine.RecordHierarchies)
	t.ClearOrderly()
	return nil
}
