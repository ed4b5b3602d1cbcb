package command

import (
	"github.com/bootseal/bootseal/vtpm/internal/engine"
	"github.com/bootseal/bootseal/vtpm/internal/wire"
)

type flushContextIn struct {
	FlushHandle wire.TPMIDHContext `tpm:"parameter"`
}

// TPM2_FlushContext, Part 3, 28.4: remove a transient object, or a loaded or saved
// session.
//
// flushHandle is a parameter, so that what it names need not be loaded.
func flushContext(t *engine.TPM, in *flushContextIn) error {
	h := in.FlushHandle.Handle()
	if h.IsSession() {
		if t.Sessions.Loaded(h) == nil && !t.Sessions.IsSaved(h) {
			return wire.RCHandle.Param(1)
		}
		t.FlushSession(h)
		return nil
	}
	if t.Objects.At(h) == nil {
		return wire.RCHandle.Param(1)
	}
	t.Objects.Flush(h)
	return nil
}
