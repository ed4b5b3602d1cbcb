package command

import (
	"github.com/bootseal/bootseal/vtpm/internal/engine"
	"github.com/bootseal/bootseal/vtpm/internal/wire"
)

type eventSequenceCompleteIn struct {
	PCRHandle      wire.TPMIDHPCR `tpm:"+"`
	SequenceHandle wire.TPMIDHObject
	Buffer         wire.TPM2BMaxBuffer
}

type eventSequenceCompleteOut struct {
	Results wire.TPMLDigestValues
}

// TPM2_EventSequenceComplete, Part 3, 17.7: end an event sequence, extend a PCR in
// every bank with its digests, and return them. TPM_RH_NULL extends none.
func eventSequenceComplete(t *engine.TPM, in *eventSequenceCompleteIn) (*eventSequenceCompleteOut, error) {
	h := in.SequenceHandle.Handle()
	s, ok := t.Objects.At(h).Sequence.(*eventSequence)
	if !ok {
		return nil, wire.RCMode.Handle(2)
	}
	extend := in.PCRHandle.Handle() != wire.HandleNull
	pcr := int(in.PCRHandle)
	if extend && !t.PCR.MayExtend(pcr, t.Command.Locality) {
		return nil, wire.RCLocality
	}
	s.update(in.Buffer)
	out := &eventSequenceCompleteOut{Results: s.digests()}
	if extend {
		extendPCR(t, pcr, out.Results)
	}
	t.FlushAfterwards(h)
	return out, nil
}
