package engine

import (
	"bytes"
	"fmt"

	"github.com/bootseal/bootseal/vtpm/internal/crypt"
	"github.com/bootseal/bootseal/vtpm/internal/wire"
)

// What a slot for a transient object holds in a volatile state.
const (
	slotEmpty uint8 = iota
	slotObject
	slotSequence
)

func (x *Objects) writeVolatile(w *wire.Writer) error {
	w.U64(x.ContextID)
	w.U32(x.ClearCount)
	w.U16(uint16(len(x.slots)))
	for _, o := range x.slots {
		if err := o.writeSlot(w); err != nil {
			return err
		}
	}
	return nil
}

func (o *Object) writeSlot(w *wire.Writer) error {
	switch {
	case o == nil:
		w.U8(slotEmpty)
	case o.Sequence == nil:
		w.U8(slotObject)
		o.Write(w)
	default:
		state, err := o.Sequence.Marshal()
		if err != nil {
			return fmt.Errorf("save a sequence: %w", err)
		}
		w.U8(slotSequence)
		w.Sized(o.Sensitive.AuthValue)
		w.Sized(state)
		clear(state)
	}
	return nil
}

// readObjects reads the transient objects into their slots.
func (t *TPM) readObjects(r *wire.Reader) {
	x := &t.Objects
	x.ContextID = r.U64()
	x.ClearCount = r.U32()
	if int(r.U16()) != len(x.slots) {
		r.Fail(wire.RCObjectMemory)
	}
	for i := range x.slots {
		if !r.OK() {
			return
		}
		x.slots[i] = t.readSlot(r)
	}
}

func (t *TPM) readSlot(r *wire.Reader) *Object {
	switch r.U8() {
	case slotEmpty:
		return nil
	case slotObject:
		o := new(Object)
		o.Read(r)
		if r.OK() {
			o.check(r)
		}
		return o
	case slotSequence:
		auth, state := readBytes(r), readBytes(r)
		if !r.OK() {
			return nil
		}
		o, err := t.Commands.Sequence(auth, state)
		if err != nil || len(auth) > wire.MaxDigest {
			r.Fail(wire.RCValue)
		}
		return o
	}
	r.Fail(wire.RCValue)
	return nil
}

// check fails the reader for an object that could not have been loaded: its Name and
// its private part fit its public area.
func (o *Object) check(r *wire.Reader) {
	if !bytes.Equal(o.Name, crypt.ObjectName(&o.Public)) {
		r.Fail(wire.RCIntegrity)
	}
	if o.PublicOnly {
		return
	}
	if _, err := o.Private(); err != nil {
		r.Fail(wire.RCBinding)
	}
}
