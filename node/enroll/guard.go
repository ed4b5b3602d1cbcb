package enroll

import (
	"errors"
	"fmt"

	"github.com/bootseal/bootseal/node/enrollment"
	"github.com/bootseal/bootseal/seal"
	"github.com/google/go-tpm/tpm2/transport"
)

// defineGuard makes the counter of a rollback guard, and writes down which it is.
func (a *Added) defineGuard() error {
	srk, _, err := seal.EnsureSRK(a.machine.TPM, a.machine.OwnerAuth)
	if err != nil {
		return err
	}
	a.machine.at("guard")
	g, err := seal.DefineGuard(a.machine.TPM, srk, a.machine.OwnerAuth)
	if err != nil {
		return err
	}
	a.journal.Guard = &g
	if err := a.write(); err != nil {
		return errors.Join(err, RemoveGuard(a.machine.TPM, g, a.machine.OwnerAuth))
	}
	a.machine.at("guard defined")
	return nil
}

// Guards returns the rollback guards of bootseal's tokens, each counter once.
func Guards(e *enrollment.Enrollment) []seal.Guard {
	own, _ := Enrolled(e)
	var out []seal.Guard
	seen := map[seal.Handle]bool{}
	for i := range e.Tokens {
		if k := e.Tokens[i].Key(); k != nil && k.Guard != nil && isFor(e.Tokens[i].Token, own) && !seen[k.Guard.Index] {
			seen[k.Guard.Index] = true
			out = append(out, *k.Guard)
		}
	}
	return out
}

// RemoveGuard removes a guard's counter from the TPM. That it is gone, or another one is in
// its place, is no error: that one stays.
func RemoveGuard(tpm transport.TPM, g seal.Guard, ownerAuth []byte) error {
	srk, _, err := seal.EnsureSRK(tpm, ownerAuth)
	if err != nil {
		return fmt.Errorf("remove the rollback guard: %w", err)
	}
	var gone *seal.GuardError
	if _, err := seal.ReadGuard(tpm, srk, g); errors.As(err, &gone) {
		return nil
	} else if err != nil {
		return err
	}
	return seal.RemoveGuard(tpm, srk, g, ownerAuth)
}
