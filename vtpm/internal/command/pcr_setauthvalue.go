package command

import (
	"github.com/bootseal/bootseal/vtpm/internal/engine"
	"github.com/bootseal/bootseal/vtpm/internal/wire"
)

type pcrSetAuthValueIn struct {
	PCRHandle wire.TPMIDHPCR
	Auth      wire.TPM2BDigest
}

// TPM2_PCR_SetAuthValue, Part 3, 22.7: give the group that a PCR is in an authValue,
// until the next Startup(CLEAR).
//
// For a PCR without a group the response code has no position, as the reference
// implementation has it.
func pcrSetAuthValue(t *engine.TPM, in *pcrSetAuthValueIn) error {
	if !t.PCR.HasAuth(int(in.PCRHandle)) {
		return wire.RCValue
	}
	t.SetPCRAuth(engine.TrimAuth(in.Auth))
	return nil
}
