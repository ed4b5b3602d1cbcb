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

// TPM2_PCR_SetAuthPolicy, Part 3, 22.6: give the group that a PCR is in an
// authPolicy, or with TPM_ALG_NULL none.
func pcrSetAuthPolicy(t *engine.TPM, in *pcrSetAuthPolicyIn) error {
	alg := wire.Alg(in.HashAlg)
	if len(in.AuthPolicy) != crypt.Size(alg) {
		return wire.RCSize.Param(1)
	}
	if !t.PCR.HasAuth(int(in.PCRNum)) {
		return wire.RCValue.Param(3)
	}
	t.SetPCRPolicy(alg, in.AuthPolicy)
	return nil
}
