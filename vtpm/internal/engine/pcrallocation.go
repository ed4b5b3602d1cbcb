package engine

import (
	"slices"

	"github.com/bootseal/bootseal/vtpm/internal/crypt"
	"github.com/bootseal/bootseal/vtpm/internal/wire"
)

// The allocation of PCRs to banks: what there is since the last _TPM_Init, and what
// TPM2_PCR_Allocate wants from the next one on.

// manufacture allocates all PCRs in the banks.
func (p *PCRs) manufacture(banks []wire.Alg) {
	p.Allocated = nil
	for _, alg := range banks {
		selection := make([]byte, PCRCount/8)
		fill(selection, true)
		p.Allocated = append(p.Allocated, wire.TPMSPCRSelection{Hash: alg, PCRSelect: selection})
	}
	p.group = pcrGroup{policyAlg: wire.AlgNull}
}

// Allocation returns which PCRs each bank has since the last _TPM_Init.
func (p *PCRs) Allocation() wire.TPMLPCRSelection {
	list := make(wire.TPMLPCRSelection, len(p.banks))
	for i, b := range p.banks {
		list[i] = wire.TPMSPCRSelection{
			Hash:      b.alg,
			PCRSelect: p.PropertySelect(func(pcr int) bool { return b.values[pcr] != nil }),
		}
	}
	return list
}

// Reallocation returns the allocation with the changes: a bank that is not in them
// stays as it is, of one that is there more than once the last counts. What an
// earlier TPM2_PCR_Allocate has asked for since the last _TPM_Init does not. The
// error is TPM_RC_HASH for a hash algorithm that has no bank.
func (p *PCRs) Reallocation(changes wire.TPMLPCRSelection) (wire.TPMLPCRSelection, error) {
	list := p.Allocation()
	for _, change := range changes {
		i := slices.IndexFunc(list, func(s wire.TPMSPCRSelection) bool { return s.Hash == change.Hash })
		if i < 0 {
			return nil, wire.RCHash
		}
		list[i] = change
	}
	return list, nil
}

// AllocatePCRs makes the allocation that of the next _TPM_Init. Until then no state can
// be saved that it would not fit, and one that was saved does not count.
func (t *TPM) AllocatePCRs(allocation wire.TPMLPCRSelection) {
	t.ClearOrderly()
	t.PCR.Allocated, t.PCR.Pending = allocation, true
	t.Mark(RecordPCR)
}

// HasLaunchPCRs reports whether there is a bank with the PCR of an H-CRTM event and
// one with that of a dynamic launch.
func HasLaunchPCRs(allocation wire.TPMLPCRSelection) bool {
	has := func(pcr int) bool {
		return slices.ContainsFunc(allocation, func(s wire.TPMSPCRSelection) bool { return s.Has(pcr) })
	}
	return has(pcrHCRTM) && has(pcrDRTM)
}

// PCRBytes returns the bytes that the values of the PCRs take.
func PCRBytes(allocation wire.TPMLPCRSelection) int {
	n := 0
	for _, s := range allocation {
		for pcr := range PCRCount {
			if s.Has(pcr) {
				n += crypt.Size(s.Hash)
			}
		}
	}
	return n
}
