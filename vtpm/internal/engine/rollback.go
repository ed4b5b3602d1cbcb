package engine

import (
	"bytes"
	"fmt"

	"github.com/bootseal/bootseal/vtpm/internal/wire"
)

// rollback undoes the command c, whose changes could not be made durable: the
// persistent state, the clock and the orderly NV data are again what they were
// before it, and a Startup has not happened. Other volatile effects stay, as after
// any command that a client gives up on: nonces have rolled, a PCR may be extended,
// an object flushed.
//
// A failed authorization is not undone. It is counted, and must become durable
// before the next try (CheckLockout).
func (t *TPM) rollback(c *Command) error {
	failure, lockout := t.uncommittedFailure, t.lockoutBefore
	orderly := t.NV.orderlyBefore()
	if err := t.reload(); err != nil {
		return err
	}
	t.Clock = t.clockBefore
	t.Lockout.healedAt, t.Lockout.lockedAt = lockout.healedAt, lockout.lockedAt
	for h, before := range orderly {
		if x := t.NV.At(h); x != nil {
			x.Data = before.data
			x.SetAttributes(before.attributes)
		}
	}
	if c != nil && c.Code == wire.CCStartup {
		t.started = false
	}
	if failure != nil {
		t.Lockout = *failure
		t.uncommittedFailure = failure
		t.Mark(RecordLockout)
	}
	return nil
}

// reload makes the persistent state what the store holds.
func (t *TPM) reload() error {
	saved, err := t.store.Load()
	if err != nil {
		return fmt.Errorf("load TPM state: %w", err)
	}
	clear(t.dirty)
	t.uncommittedFailure = nil
	if err := t.restore(saved); err != nil {
		return fmt.Errorf("restore TPM state: %w", err)
	}
	return nil
}

// orderlyState is what of an orderly index rests in memory only.
type orderlyState struct {
	attributes wire.TPMANV
	data       []byte
}

// keep notes the state of an orderly index that is about to change, for rollback.
func (n *NV) keep(x *NVIndex) {
	if !x.Has(wire.NVOrderly) {
		return
	}
	if _, ok := n.undo[x.Public.NVIndex]; ok {
		return
	}
	if n.undo == nil {
		n.undo = make(map[wire.Handle]orderlyState)
	}
	n.undo[x.Public.NVIndex] = orderlyState{x.Public.Attributes, bytes.Clone(x.Data)}
}

// orderlyBefore returns the state of the orderly indices before the command in
// flight changed any.
func (n *NV) orderlyBefore() map[wire.Handle]orderlyState {
	all := make(map[wire.Handle]orderlyState)
	for h, x := range n.indices {
		if x.Has(wire.NVOrderly) {
			all[h] = orderlyState{x.Public.Attributes, x.Data}
		}
	}
	for h, before := range n.undo {
		all[h] = before
	}
	return all
}

func (n *NV) forgetUndo() {
	for h, before := range n.undo {
		if n.indices[h] == nil {
			clear(before.data) // undefined for good
		}
		delete(n.undo, h)
	}
}
