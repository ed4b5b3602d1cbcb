package command

import (
	"bytes"

	"github.com/bootseal/bootseal/vtpm/internal/engine"
	"github.com/bootseal/bootseal/vtpm/internal/wire"
)

type nvReadIn struct {
	AuthHandle wire.TPMIRHNVAuth
	NVIndex    wire.TPMIRHNVIndex
	Size       uint16
	Offset     uint16
}

type nvReadOut struct {
	Data wire.TPM2BMaxNVBuffer
}

// TPM2_NV_Read, Part 3, 31.13: read data of an NV Index.
func nvRead(t *engine.TPM, in *nvReadIn) (*nvReadOut, error) {
	x := t.NV.At(in.NVIndex.Handle())
	if err := nvReadable(in.AuthHandle.Handle(), x); err != nil {
		return nil, err
	}
	if in.Size > wire.MaxNVBuffer {
		return nil, wire.RCValue.Param(1)
	}
	if in.Offset > x.Public.DataSize {
		return nil, wire.RCValue.Param(2)
	}
	if in.Size > x.Public.DataSize-in.Offset {
		return nil, wire.RCNVRange
	}
	return &nvReadOut{Data: bytes.Clone(x.Data[in.Offset : in.Offset+in.Size])}, nil
}
