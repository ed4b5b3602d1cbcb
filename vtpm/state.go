package vtpm

import (
	"fmt"
	"runtime/debug"
)

// StateKind is a part of a TPM's state that can be saved as one.
type StateKind uint8

const (
	// PermanentState is what survives a loss of power: all that the Store has.
	PermanentState StateKind = iota + 1
	// VolatileState is what the TPM has in memory only: loaded objects, sessions, PCR
	// values, the clock, what the last Startup set. It belongs to one permanent state.
	VolatileState
)

// String returns "permanent" or "volatile".
func (k StateKind) String() string {
	switch k {
	case PermanentState:
		return "permanent"
	case VolatileState:
		return "volatile"
	}
	return fmt.Sprintf("state %d", uint8(k))
}

// SaveState returns a part of the state, for RestoreState of another process or
// machine. To move a TPM save the permanent state first, then the volatile state with
// no command between them; a command after that goes on without the copy.
//
// The result holds the TPM's secrets. Its layout has a version.
func (t *TPM) SaveState(kind StateKind) (blob []byte, err error) {
	err = t.state(func() error {
		switch kind {
		case PermanentState:
			blob, err = t.e.SavePermanent()
		case VolatileState:
			blob, err = t.e.SaveVolatile()
		default:
			err = fmt.Errorf("%v cannot be saved", kind)
		}
		return err
	})
	return blob, err
}

// RestoreState replaces a part of the state by what SaveState returned, durably for
// the permanent state. After that the TPM is as after Init; after the volatile state
// it goes on where it was saved, without TPM2_Startup.
//
// The error is for a blob that is damaged, of another version, of no use to a TPM of
// this profile, or for a volatile state that belongs to another permanent state than
// the one that is there. It leaves the TPM as it was.
func (t *TPM) RestoreState(kind StateKind, blob []byte) error {
	return t.state(func() error {
		switch kind {
		case PermanentState:
			return t.e.RestorePermanent(blob)
		case VolatileState:
			return t.e.RestoreVolatile(blob)
		}
		return fmt.Errorf("%v cannot be restored", kind)
	})
}

// KeepVolatile leaves the volatile state in the Store, for Resume of the next process.
func (t *TPM) KeepVolatile() error { return t.state(t.e.KeepVolatile) }

// PutVolatile leaves a volatile state from SaveState in the Store, for Resume. What is
// wrong with it Resume finds out.
func (t *TPM) PutVolatile(blob []byte) error {
	return t.state(func() error { return t.e.PutVolatile(blob) })
}

// Resume is RestoreState with the volatile state that was left in the Store. It
// reports whether there was one; with none the TPM stays as it is. The volatile state
// stays in the Store until DropVolatile.
func (t *TPM) Resume() (found bool, err error) {
	err = t.state(func() error {
		found, err = t.e.ResumeVolatile()
		return err
	})
	return found, err
}

// DropVolatile removes the volatile state from the Store. None is no error.
func (t *TPM) DropVolatile() error { return t.state(t.e.DropVolatile) }

// state runs f on the engine. A blob is input: what it should manage to break is an
// error, and no reason to stop a process of many TPMs.
func (t *TPM) state(f func() error) (err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
	}()
	return f()
}
