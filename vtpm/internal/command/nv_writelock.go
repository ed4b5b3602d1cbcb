package command

import (
	"github.com/bootseal/bootseal/vtpm/internal/engine"
	"github.com/bootseal/bootseal/vtpm/internal/wire"
)

type nvWriteLockIn struct {
	AuthHandle wire.TPMIRHNVAuth
	NVIndex    wire.TPMIRHNVIndex
}

// TPM2_NV_WriteLock, Part 3, 31.11: refuse further writes to an NV Index: until
// the next Startup(CLEAR), or for good when it has TPMA_NV_WRITEDEFINE.
func nvWriteLock(t *engine.TPM, in *nvWriteLockIn) error {
	x := t.NV.At(in.NVIndex.Handle())
	if err := nvReadOnlyMode(t, x); err != nil {
		return err
	}
	if x.Has(wire.NVWriteLocked) {
		return nil // whoever asks: the reference looks no further
	}
	if err := nvWritable(in.AuthHandle.Handle(), x); err != nil {
		return err
	}
	if !x.Public.Attributes.Any(wire.NVWriteDefine | wire.NVWriteSTClear) {
		return wire.RCAttributes.Handle(2)
	}
	t.SetNVAttributes(x, x.Public.Attributes|wire.NVWriteLocked)
	return nil
}
