package command

import (
	"github.com/bootseal/bootseal/vtpm/internal/engine"
	"github.com/bootseal/bootseal/vtpm/internal/wire"
)

type sequenceCompleteIn struct {
	SequenceHandle wire.TPMIDHObject
	Buffer         wire.TPM2BMaxBuffer
	Hierarchy      wire.TPMIRHHierarchy `tpm:"parameter"`
}

type sequenceCompleteOut struct {
	Result     wire.TPM2BDigest
	Validation wire.TPMTTKHashCheck
}

// TPM2_SequenceComplete, Part 3, 17.6: end a hash or MAC sequence, and return its
// result, for a hash with the ticket that TPM2_Hash would give.
func sequenceComplete(t *engine.TPM, in *sequenceCompleteIn) (*sequenceCompleteOut, error) {
	h := in.SequenceHandle.Handle()
	out := &sequenceCompleteOut{Validation: hashCheck(t, wire.HandleNull, wire.AlgNull, nil, false)}
	switch s := t.Objects.At(h).Sequence.(type) {
	case *hashSequence:
		s.update(in.Buffer)
		out.Result = s.state.Sum(nil)
		out.Validation = hashCheck(t, in.Hierarchy.Handle(), s.alg, out.Result, s.safe)
	case *macSequence:
		s.update(in.Buffer)
		out.Result = s.mac.Sum()
	default:
		return nil, wire.RCMode.Handle(1)
	}
	t.FlushAfterwards(h)
	return out, nil
}
