package command

import (
	"github.com/bootseal/bootseal/vtpm/internal/crypt"
	"github.com/bootseal/bootseal/vtpm/internal/engine"
	"github.com/bootseal/bootseal/vtpm/internal/wire"
)

type nvExtendIn struct {
	AuthHandle wire.TPMIRHNVAuth
	NVIndex    wire.TPMIRHNVIndex
	Data       wire.TPM2BMaxNVBuffer
}

// TPM2_NV_Extend, Part 3, 31.9: extend an Extend index as a PCR is extended; the
// first time, from zero.
func nvExtend(t *engine.TPM, in *nvExtendIn) error {
	x := t.NV.At(in.NVIndex.Handle())
	if err := nvReadOnlyMode(t, x); err != nil {
		return err
	}
	if err := nvWritable(in.AuthHandle.Handle(), x); err != nil {
		return err
	}
	if x.Type() != wire.NTExtend {
		return wire.RCAttributes.Handle(2)
	}
	old := make([]byte, len(x.Data))
	if x.Has(wire.NVWritten) {
		copy(old, x.Data)
	}
	t.WriteNV(x, 0, crypt.Digest(x.Public.NameAlg, old, in.Data))
	return nil
}
