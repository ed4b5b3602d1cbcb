package command

import (
	"github.com/bootseal/bootseal/vtpm/internal/engine"
	"github.com/bootseal/bootseal/vtpm/internal/wire"
)

type nvIncrementIn struct {
	AuthHandle wire.TPMIRHNVAuth
	NVIndex    wire.TPMIRHNVIndex
}

// TPM2_NV_Increment, Part 3, 31.8: increment a counter index.
//
// A counter that was not incremented yet starts above every counter that was
// removed, so that removing and defining it again does not turn it back.
func nvIncrement(t *engine.TPM, in *nvIncrementIn) error {
	x := t.NV.At(in.NVIndex.Handle())
	if err := nvWritable(in.AuthHandle.Handle(), x); err != nil {
		return err
	}
	if x.Type() != wire.NTCounter {
		return wire.RCAttributes.Handle(2)
	}
	count := t.NV.MaxCounter
	if x.Has(wire.NVWritten) {
		count = x.Counter()
	}
	t.SetCounter(x, count+1)
	return nil
}
