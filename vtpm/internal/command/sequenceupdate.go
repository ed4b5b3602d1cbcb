package command

import (
	"github.com/bootseal/bootseal/vtpm/internal/engine"
	"github.com/bootseal/bootseal/vtpm/internal/wire"
)

type sequenceUpdateIn struct {
	SequenceHandle wire.TPMIDHObject
	Buffer         wire.TPM2BMaxBuffer
}

// TPM2_SequenceUpdate, Part 3, 17.5: add data to a sequence.
func sequenceUpdate(t *engine.TPM, in *sequenceUpdateIn) error {
	s, ok := t.Objects.At(in.SequenceHandle.Handle()).Sequence.(sequence)
	if !ok {
		return wire.RCMode.Handle(1)
	}
	s.update(in.Buffer)
	return nil
}
