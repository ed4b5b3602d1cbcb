package seal

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/google/go-tpm/tpm2"
	"github.com/google/go-tpm/tpm2/transport"
)

// Guard is the part of a policy by which what was sealed in the past stops to open: an NV
// counter must not have moved beyond a value, TPM2_PolicyNV. To retire a boot, seal what
// stays for the next value, then move the counter there.
//
// It is read without a password and moved by the owner. Who can move it, or remove it,
// locks the disk, but opens nothing: see [Counter].
type Guard struct {
	Index Handle `json:"index"`
	Name  Name   `json:"name"`  // of the NV index, written
	Value uint64 `json:"value"` // the highest count at which the secret is given out
}

// Next returns the guard for the count that comes next.
func (g Guard) Next() Guard {
	g.Value++
	return g
}

func (g Guard) check() error {
	if g.Index == 0 || len(g.Name) == 0 {
		return errors.New("a guard without an NV index, or without its Name")
	}
	return nil
}

func (g Guard) counter(salt Parent) *Counter {
	return &Counter{Index: g.Index, Name: g.Name, Salt: salt}
}

// DefineGuard makes a counter for a guard, and returns the guard for the count at which it
// stands. The sessions are salted to the storage key; the owner hierarchy's authValue is
// empty on most machines.
func DefineGuard(tpm transport.TPM, salt Parent, ownerAuth []byte) (Guard, error) {
	c, err := DefineCounter(tpm, salt, nil, ownerAuth)
	if err != nil {
		return Guard{}, fmt.Errorf("rollback guard: %w", err)
	}
	g := Guard{Index: c.Index, Name: c.Name}
	if g.Value, err = c.Read(tpm); err != nil {
		return Guard{}, errors.Join(fmt.Errorf("rollback guard: %w", err), c.Remove(tpm, ownerAuth))
	}
	return g, nil
}

// ReadGuard returns the count at which the guard's counter stands. It fails with a
// [*GuardError] where the counter is gone, or another one.
func ReadGuard(tpm transport.TPM, salt Parent, g Guard) (uint64, error) {
	if err := g.check(); err != nil {
		return 0, fmt.Errorf("rollback guard: %w", err)
	}
	if err := g.find(withPatience(tpm)); err != nil {
		return 0, fmt.Errorf("rollback guard: %w", err)
	}
	count, err := g.counter(salt).Read(tpm)
	if err != nil {
		return 0, fmt.Errorf("rollback guard: %w", err)
	}
	return count, nil
}

// AdvanceGuard moves the counter to g.Value from the count before it: what was sealed for
// that one is closed from now on. It does nothing if the counter stands there already, so
// that it can be done again after a crash, and refuses to skip a count.
func AdvanceGuard(tpm transport.TPM, salt Parent, g Guard, ownerAuth []byte) error {
	count, err := ReadGuard(tpm, salt, g)
	switch {
	case err != nil:
		return err
	case count == g.Value:
		return nil
	case count > g.Value:
		return fmt.Errorf("rollback guard: %w", &GuardError{Guard: g, Count: count})
	case count+1 != g.Value:
		return fmt.Errorf("rollback guard: the counter at %s stands at %d: it moves by one, not to %d", g.Index, count, g.Value)
	}
	if err := g.counter(salt).Increment(tpm, ownerAuth); err != nil {
		return fmt.Errorf("rollback guard: %w", explainOwner(err))
	}
	return nil
}

// RemoveGuard removes the counter. All that was sealed with it is closed for good.
func RemoveGuard(tpm transport.TPM, salt Parent, g Guard, ownerAuth []byte) error {
	if err := g.check(); err != nil {
		return fmt.Errorf("rollback guard: %w", err)
	}
	if err := g.counter(salt).Remove(tpm, ownerAuth); err != nil {
		return fmt.Errorf("rollback guard: %w", err)
	}
	return nil
}

// operation is "at most", as TPM2_PolicyNV compares.
const operation = tpm2.TPMEOUnsignedLE

func (g Guard) operand() []byte { return binary.BigEndian.AppendUint64(nil, g.Value) }

// digest is a policy's after TPM2_PolicyNV (Part 3, "TPM2_PolicyNV").
func (g Guard) digest(old []byte) []byte {
	args := binary.BigEndian.AppendUint16(g.operand(), 0) // offset
	sum := sha256.Sum256(binary.BigEndian.AppendUint16(args, uint16(operation)))
	return extendPolicy(old, tpm2.TPMCCPolicyNV, sum[:], g.Name)
}

// find looks whether the counter is the pinned one.
func (g Guard) find(tpm transport.TPM) error {
	_, name, err := g.counter(Parent{}).readPublic(tpm)
	if errors.Is(err, tpm2.TPMRCHandle) {
		return &GuardError{Guard: g, Err: err}
	}
	if err != nil {
		return fmt.Errorf("read the public area of the counter at %s: %w", g.Index, err)
	}
	if name.String() != g.Name.String() {
		return &GuardError{Guard: g, Err: fmt.Errorf("its Name is %s: want %s", name, g.Name)}
	}
	return nil
}

// holds looks whether the guard would be satisfied, so that nobody is asked for the PIN of
// what is retired. The TPM decides; without a guard there is nothing to hold.
func (g *Guard) holds(tpm transport.TPM) error {
	if g == nil {
		return nil
	}
	if err := g.find(tpm); err != nil {
		return err
	}
	count, err := g.counter(Parent{}).Read(tpm)
	if err == nil && count > g.Value {
		err = &GuardError{Guard: *g, Count: count}
	}
	return err
}

// satisfy runs TPM2_PolicyNV in a session, in which the TPM compares at once, except in a
// trial session.
func (g Guard) satisfy(tpm transport.TPM, session tpm2.TPMHandle) error {
	if err := g.find(tpm); err != nil {
		return err
	}
	index := tpm2.NamedHandle{Handle: tpm2.TPMHandle(g.Index), Name: tpm2.TPM2BName{Buffer: g.Name}}
	_, err := tpm2.PolicyNV{
		AuthHandle:    tpm2.AuthHandle{Handle: index.Handle, Name: index.Name, Auth: tpm2.PasswordAuth(nil)},
		NVIndex:       index,
		PolicySession: session,
		OperandB:      tpm2.TPM2BOperand{Buffer: g.operand()},
		Operation:     operation,
	}.Execute(tpm)
	if errors.Is(err, tpm2.TPMRCPolicy) {
		moved := &GuardError{Guard: g}
		moved.Count, err = g.counter(Parent{}).Read(tpm) // for the explanation only: nobody vouches for it
		if err != nil {
			return err
		}
		return moved
	}
	if err != nil {
		return explain("satisfy the rollback guard", err)
	}
	return nil
}
