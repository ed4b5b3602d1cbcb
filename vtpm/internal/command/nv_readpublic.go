package command

import (
	"github.com/bootseal/bootseal/vtpm/internal/engine"
	"github.com/bootseal/bootseal/vtpm/internal/wire"
)

type nvReadPublicIn struct {
	NVIndex wire.TPMIRHNVIndex
}

type nvReadPublicOut struct {
	NVPublic wire.TPM2BNVPublic
	NVName   wire.TPM2BName
}

// TPM2_NV_ReadPublic, Part 3, 31.6: return the public area and the Name of an NV
// Index.
func nvReadPublic(t *engine.TPM, in *nvReadPublicIn) (*nvReadPublicOut, error) {
	x := t.NV.At(in.NVIndex.Handle())
	return &nvReadPublicOut{NVPublic: wire.TPM2BNVPublic{NVPublic: x.Public}, NVName: x.Name()}, nil
}
