package command

import (
	"github.com/bootseal/bootseal/vtpm/internal/engine"
	"github.com/bootseal/bootseal/vtpm/internal/wire"
)

type nvSetBitsIn struct {
	AuthHandle wire.TPMIRHNVAuth
	NVIndex    wire.TPMIRHNVIndex
	Bits       uint64
}

// TPM2_NV_SetBits, Part 3, 31.10: set bits of a bit field index; those that are
// set already stay.
func nvSetBits(t *engine.TPM, in *nvSetBitsIn) error {
	x := t.NV.At(in.NVIndex.Handle())
	if err := nvReadOnlyMode(t, x); err != nil {
		return err
	}
	if err := nvWritable(in.AuthHandle.Handle(), x); err != nil {
		return err
	}
	if x.Type() != wire.NTBits {
		return wire.RCAttributes.Handle(2)
	}
	bits := in.Bits
	if x.Has(wire.NVWritten) {
		bits |= x.Counter()
	}
	t.SetCounter(x, bits)
	return nil
}
