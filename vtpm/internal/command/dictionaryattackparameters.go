package command

import (
	"github.com/bootseal/bootseal/vtpm/internal/engine"
	"github.com/bootseal/bootseal/vtpm/internal/wire"
)

type dictionaryAttackParametersIn struct {
	LockHandle      wire.TPMIRHLockout
	NewMaxTries     uint32
	NewRecoveryTime uint32 // seconds
	LockoutRecovery uint32 // seconds
}

// TPM2_DictionaryAttackParameters, Part 3, 25.3: set the parameters of the
// dictionary attack protection. The failures so far still count: a smaller
// NewMaxTries may lock the TPM at once.
func dictionaryAttackParameters(t *engine.TPM, in *dictionaryAttackParametersIn) error {
	t.Lockout.MaxTries = in.NewMaxTries
	t.Lockout.RecoveryTime = in.NewRecoveryTime
	t.Lockout.LockoutRecovery = in.LockoutRecovery
	t.Mark(engine.RecordLockout)
	return nil
}
