package command

import (
	"github.com/bootseal/bootseal/vtpm/internal/engine"
	"github.com/bootseal/bootseal/vtpm/internal/wire"
)

type clearIn struct {
	AuthHandle wire.TPMIRHClear
}

// TPM2_Clear, Part 3, 24.6: forget the owner: the storage hierarchy with its seed,
// its objects and indices, and every authorization but the platform's.
func clearOwner(t *engine.TPM, _ *clearIn) error {
	h := &t.Hierarchies
	if h.DisableClear {
		return wire.RCDisabled
	}
	if err := h.Owner.Renew(t.RandomBytes); err != nil {
		return err
	}
	// The endorsement seed stays, so that the endorsement key does; the new proof
	// is for the tickets and contexts of the former owner.
	if err := h.Endorsement.RenewProof(t.RandomBytes); err != nil {
		return err
	}
	for _, x := range []*engine.Hierarchy{&h.Owner, &h.Endorsement, &h.Lockout} {
		x.ClearAuthorization()
	}
	h.Owner.Enabled, h.Endorsement.Enabled = true, true
	t.FlushHierarchy(wire.HandleOwner, true)
	t.FlushHierarchy(wire.HandleEndorsement, true)
	t.UndefineOwnerNV()
	t.Lockout.SetDefaults()
	t.Clock.Clear()
	t.Objects.ClearCount = 0
	t.Audit.Counter = 0
	t.PCR.ClearAuth()
	t.ClearOrderly()
	t.Mark(engine.RecordHierarchies)
	t.Mark(engine.RecordLockout)
	t.Mark(engine.RecordCounters)
	t.Mark(engine.RecordAudit)
	return nil
}
