package command

import (
	"github.com/bootseal/bootseal/vtpm/internal/engine"
	"github.com/bootseal/bootseal/vtpm/internal/wire"
)

type nvGlobalWriteLockIn struct {
	AuthHandle wire.TPMIRHProvision
}

// TPM2_NV_GlobalWriteLock, Part 3, 31.12: refuse further writes to every NV Index
// that has TPMA_NV_GLOBALLOCK.
func nvGlobalWriteLock(t *engine.TPM, _ *nvGlobalWriteLockIn) error {
	for _, h := range t.NV.Handles() {
		if x := t.NV.At(h); x.Has(wire.NVGlobalLock) {
			t.SetNVAttributes(x, x.Public.Attributes|wire.NVWriteLocked)
		}
	}
	return nil
}
