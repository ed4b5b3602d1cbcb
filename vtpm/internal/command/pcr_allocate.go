package command

import (
	"github.com/bootseal/bootseal/vtpm/internal/crypt"
	"github.com/bootseal/bootseal/vtpm/internal/engine"
	"github.com/bootseal/bootseal/vtpm/internal/wire"
)

type pcrAllocateIn struct {
	AuthHandle    wire.TPMIRHPlatform
	PCRAllocation wire.TPMLPCRSelection
}

type pcrAllocateOut struct {
	AllocationSuccess wire.TPMIYesNo
	MaxPCR            uint32
	SizeNeeded        uint32 // bytes
	SizeAvailable     uint32 // bytes
}

// TPM2_PCR_Allocate, Part 3, 22.5: say which PCRs each bank has from the next
// _TPM_Init on. Banks that are not named stay as they are.
func pcrAllocate(t *engine.TPM, in *pcrAllocateIn) (*pcrAllocateOut, error) {
	allocation, err := t.PCR.Reallocation(in.PCRAllocation)
	if err != nil {
		return nil, err.(wire.RC).Param(1)
	}
	if !engine.HasLaunchPCRs(allocation) {
		return nil, wire.RCPCR
	}
	t.AllocatePCRs(allocation)
	available := 0 // there is room for everything
	for _, alg := range t.Profile.Banks {
		available += engine.PCRCount * crypt.Size(alg)
	}
	return &pcrAllocateOut{
		AllocationSuccess: true,
		MaxPCR:            engine.PCRCount,
		SizeNeeded:        uint32(engine.PCRBytes(allocation)),
		SizeAvailable:     uint32(available),
	}, nil
}
