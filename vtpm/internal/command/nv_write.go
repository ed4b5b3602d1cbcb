package command

import (
	"github.com/bootseal/bootseal/vtpm/internal/engine"
	"github.com/bootseal/bootseal/vtpm/internal/wire"
)

type nvWriteIn struct {
	AuthHandle wire.TPMIRHNVAuth
	NVIndex    wire.TPMIRHNVIndex
	Data       wire.TPM2BMaxNVBuffer
	Offset     uint16
}

// TPM2_NV_Write, Part 3, 31.7: write data to an ordinary or a PIN index.
func nvWrite(t *engine.TPM, in *nvWriteIn) error {
	x := t.NV.At(in.NVIndex.Handle())
	if err := nvReadOnlyMode(t, x); err != nil {
		return err
	}
	if err := nvWritable(in.AuthHandle.Handle(), x); err != nil {
		return err
	}
	switch x.Type() {
	case wire.NTCounter, wire.NTBits, wire.NTExtend:
		return wire.RCAttributes // without a position: the reference names no handle
	}
	size := int(x.Public.DataSize)
	if int(in.Offset) > size {
		return wire.RCValue.Param(2)
	}
	if len(in.Data) > size-int(in.Offset) {
		return wire.RCNVRange
	}
	if x.Has(wire.NVWriteAll) && len(in.Data) < size {
		return wire.RCNVRange
	}
	t.WriteNV(x, int(in.Offset), in.Data)
	return nil
}
