package command

import (
	"github.com/bootseal/bootseal/vtpm/internal/engine"
	"github.com/bootseal/bootseal/vtpm/internal/wire"
)

type contextLoadIn struct {
	Context wire.TPMSContext
}

type contextLoadOut struct {
	LoadedHandle wire.Handle
}

// TPM2_ContextLoad, Part 3, 28.3: load what TPM2_ContextSave saved: an object as
// often as the caller likes, a session once.
func contextLoad(t *engine.TPM, in *contextLoadIn) (*contextLoadOut, error) {
	c := &in.Context
	data, err := t.UnprotectContext(c)
	if err != nil {
		return nil, err
	}
	defer clear(data)
	if !c.SavedHandle.IsSession() {
		return loadObjectContext(t, c, data)
	}
	s := new(engine.Session)
	if err := t.Unmarshal(data, s); err != nil {
		return nil, wire.RCIntegrity.Param(1)
	}
	// The TPM remembers the last context that it saved of each session, until that
	// is loaded.
	if !t.IsCurrentContext(s.Handle, c.Sequence) {
		return nil, wire.RCHandle.Param(1)
	}
	if err := t.RestoreSession(s); err != nil {
		return nil, err
	}
	t.ClearOrderly()
	return &contextLoadOut{LoadedHandle: s.Handle}, nil
}

func loadObjectContext(t *engine.TPM, c *wire.TPMSContext, data []byte) (*contextLoadOut, error) {
	if !t.Hierarchies.Enabled(c.Hierarchy) {
		return nil, wire.RCHierarchy.Param(1)
	}
	o, err := unmarshalObject(t, c.SavedHandle, data)
	if err != nil {
		return nil, wire.RCIntegrity.Param(1)
	}
	h, err := t.Objects.Add(o)
	if err != nil {
		return nil, err
	}
	return &contextLoadOut{LoadedHandle: h}, nil
}
