package command

import (
	"github.com/bootseal/bootseal/vtpm/internal/engine"
	"github.com/bootseal/bootseal/vtpm/internal/wire"
)

// The contents of the saved contexts of objects. That they are this TPM's own has
// been established before they are read (engine.TPM.UnprotectContext).

// savedHandle returns the kind of an object's context, its TPMI_DH_SAVED.
func savedHandle(o *engine.Object) wire.Handle {
	switch {
	case o.Sequence != nil:
		return wire.SavedSequence
	case o.STClear:
		return wire.SavedSTClear
	}
	return wire.SavedObject
}

// marshalObject returns the contents of the context of an object, or of a sequence
// and its authValue.
func marshalObject(o *engine.Object) ([]byte, error) {
	var w wire.Writer
	if o.Sequence == nil {
		o.Write(&w)
		return w.Data(), nil
	}
	state, err := o.Sequence.Marshal()
	if err != nil {
		return nil, wire.RCFailure
	}
	w.Sized(o.Sensitive.AuthValue)
	w.Bytes(state)
	return w.Data(), nil
}

// unmarshalObject undoes marshalObject, for a context of the kind.
func unmarshalObject(t *engine.TPM, kind wire.Handle, data []byte) (*engine.Object, error) {
	o := new(engine.Object)
	if kind != wire.SavedSequence {
		return o, t.Unmarshal(data, o)
	}
	r := wire.NewReader(data, t.Limits())
	r.Detach()
	auth := r.Sized(wire.MaxDigest)
	if err := r.Err(); err != nil {
		return nil, err
	}
	s, err := unmarshalSequence(r.Rest())
	if err != nil {
		return nil, err
	}
	return newSequence(s, auth), nil
}

// newSequence returns the object of a sequence: it belongs to no hierarchy, has no
// Name, and a failed authorization of it does not count (Part 1, "Hash, MAC, and
// Event Sequences").
func newSequence(s engine.Sequence, auth []byte) *engine.Object {
	return &engine.Object{
		Public:    wire.TPMTPublic{Type: wire.AlgNull, NameAlg: wire.AlgNull, ObjectAttributes: wire.ObjNoDA},
		Sensitive: wire.TPMTSensitive{AuthValue: auth},
		Hierarchy: wire.HandleNull,
		Sequence:  s,
	}
}
