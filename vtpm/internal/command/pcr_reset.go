package command

import (
	"github.com/bootseal/bootseal/vtpm/internal/engine"
	"github.com/bootseal/bootseal/vtpm/internal/wire"
)

type pcrResetIn struct {
	PCRHandle wire.TPMIDHPCR
}

// TPM2_PCR_Reset, Part 3, 22.8: set a PCR to zero in all banks, where its
// attributes allow that at the locality of the command.
func pcrReset(t *engine.TPM, in *pcrResetIn) error {
	pcr := int(in.PCRHandle)
	if !t.PCR.MayReset(pcr, t.Command.Locality) {
		return wire.RCLocality
	}
	t.PCR.Reset(pcr) // no PCR that can be reset is state-saved
	return nil
}
