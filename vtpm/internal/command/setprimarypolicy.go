package command

import (
	"bytes"

	"github.com/bootseal/bootseal/vtpm/internal/crypt"
	"github.com/bootseal/bootseal/vtpm/internal/engine"
	"github.com/bootseal/bootseal/vtpm/internal/wire"
)

type setPrimaryPolicyIn struct {
	AuthHandle wire.TPMIRHHierarchyPolicy
	AuthPolicy wire.TPM2BDigest
	HashAlg    wire.TPMIAlgHash `tpm:"+"`
}

// TPM2_SetPrimaryPolicy, Part 3, 24.3: set the authPolicy of a hierarchy, of the
// lockout authority or of a countdown timer; an empty one with TPM_ALG_NULL
// removes it.
func setPrimaryPolicy(t *engine.TPM, in *setPrimaryPolicyIn) error {
	alg := wire.Alg(in.HashAlg)
	if len(in.AuthPolicy) != crypt.Size(alg) {
		return wire.RCSize.Param(1)
	}
	t.SetAuthPolicy(in.AuthHandle.Handle(), bytes.Clone(in.AuthPolicy), alg)
	return nil
}
