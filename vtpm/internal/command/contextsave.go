package command

import (
	"github.com/bootseal/bootseal/vtpm/internal/engine"
	"github.com/bootseal/bootseal/vtpm/internal/wire"
)

type contextSaveIn struct {
	SaveHandle wire.TPMIDHContext
}

type contextSaveOut struct {
	Context wire.TPMSContext
}

// TPM2_ContextSave, Part 3, 28.2: return a transient object or a session as a blob
// that only this TPM can load. A session leaves the TPM, an object stays.
func contextSave(t *engine.TPM, in *contextSaveIn) (*contextSaveOut, error) {
	h := in.SaveHandle.Handle()
	var data []byte
	var err error
	c := wire.TPMSContext{SavedHandle: h, Hierarchy: wire.HandleNull}
	if h.IsSession() {
		session := t.Sessions.Loaded(h)
		data = wire.Marshal(session)
		if c.Sequence, err = t.SaveSession(h); err != nil {
			return nil, err
		}
		clear(session.Key)
	} else {
		o := t.Objects.At(h)
		if data, err = marshalObject(o); err != nil {
			return nil, err
		}
		c.Sequence = t.Objects.NextContextID()
		c.SavedHandle, c.Hierarchy = savedHandle(o), o.Hierarchy
	}
	defer clear(data)
	t.ClearOrderly()
	if err := t.ProtectContext(&c, data); err != nil {
		return nil, err
	}
	return &contextSaveOut{Context: c}, nil
}
