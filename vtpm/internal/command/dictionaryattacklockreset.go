package command

import (
	"github.com/bootseal/bootseal/vtpm/internal/engine"
	"github.com/bootseal/bootseal/vtpm/internal/wire"
)

type dictionaryAttackLockResetIn struct {
	LockHandle wire.TPMIRHLockout
}

// TPM2_DictionaryAttackLockReset, Part 3, 25.2: forget the failed authorizations
// that the dictionary attack protection counted.
func dictionaryAttackLockReset(t *engine.TPM, _ *dictionaryAttackLockResetIn) error {
	t.Lockout.Reset()
	t.Mark(engine.RecordLockout)
	return nil
}
