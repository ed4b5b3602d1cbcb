package command

import (
	"github.com/bootseal/bootseal/vtpm/internal/engine"
	"github.com/bootseal/bootseal/vtpm/internal/wire"
)

type pcrExtendIn struct {
	PCRHandle wire.TPMIDHPCR `tpm:"+"`
	Digests   wire.TPMLDigestValues
}

// TPM2_PCR_Extend, Part 3, 22.2: extend a PCR in each bank for which there is a
// digest. TPM_RH_NULL extends none.
func pcrExtend(t *engine.TPM, in *pcrExtendIn) error {
	if in.PCRHandle.Handle() == wire.HandleNull {
		return nil
	}
	pcr := int(in.PCRHandle)
	if !t.PCR.MayExtend(pcr, t.Command.Locality) {
		return wire.RCLocality
	}
	extendPCR(t, pcr, in.Digests)
	return nil
}

// extendPCR extends the PCR in the banks of the digests. What a Shutdown has saved
// of it is no longer true.
func extendPCR(t *engine.TPM, pcr int, digests wire.TPMLDigestValues) {
	if t.PCR.StateSaved(pcr) {
		t.ClearOrderly()
	}
	for _, d := range digests {
		t.PCR.Extend(d.HashAlg, pcr, d.Digest)
	}
}
