package command

import (
	"github.com/bootseal/bootseal/vtpm/internal/engine"
	"github.com/bootseal/bootseal/vtpm/internal/wire"
)

type nvReadPublic2In struct {
	NVIndex wire.TPMIRHNVIndex
}

type nvReadPublic2Out struct {
	NVPublic wire.TPM2BNVPublic2
	NVName   wire.TPM2BName
}

// TPM2_NV_ReadPublic2, Part 3, 31.18: return the public area and the Name of an NV
// Index with its handle type.
func nvReadPublic2(t *engine.TPM, in *nvReadPublic2In) (*nvReadPublic2Out, error) {
	x := t.NV.At(in.NVIndex.Handle())
	public := wire.TPMTNVPublic2{HandleType: wire.HTNVIndex, NVIndex: x.Public}
	return &nvReadPublic2Out{NVPublic: wire.TPM2BNVPublic2{NVPublic2: public}, NVName: x.Name()}, nil
}
