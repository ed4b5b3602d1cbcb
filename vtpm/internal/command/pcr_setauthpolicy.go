package command

import (
	"github.com/bootseal/bootseal/vtpm/internal/crypt"
	"github.com/bootseal/bootseal/vtpm/internal/engine"
	"github.com/bootseal/bootseal/vtpm/internal/wire"
)

type pcrSetAuthPolicyIn struct {
	AuthHandle wire.TPMIRHPlatform
	AuthPolicy wire.TPM2BDigest
	HashAlg    wire.TPMIAlgHash `tpm:"+"`
	PCRNum     wire.TPMIDHPCR   `tpm:"parameter"`
}

// TPM2_PCR_SetAuthPolicy, Part 3, 22.6: give a group of PCRs an authPolicy. The PC
// Client Platform TPM Profile has no such group, so that no PCR is in one.
func pcrSetAuthPolicy(_ *engine.TPM, in *pcrSetAuthPolicyIn) error {
	if len(in.AuthPolicy) != crypt.Size(wire.Alg(in.HashAlg)) {
		return wire.RCSize.Param(1)
	}
	return wire.RCValue.Param(3)
}
