package command

import (
	"github.com/bootseal/bootseal/vtpm/internal/engine"
	"github.com/bootseal/bootseal/vtpm/internal/wire"
)

type pcrSetAuthValueIn struct {
	PCRHandle wire.TPMIDHPCR
	Auth      wire.TPM2BDigest
}

// TPM2_PCR_SetAuthValue, Part 3, 22.7: give a group of PCRs an authValue. The PC
// Client Platform TPM Profile has no such group, so that no PCR is in one. The
// response code has no position, as the reference implementation has it.
func pcrSetAuthValue(*engine.TPM, *pcrSetAuthValueIn) error { return wire.RCValue }
