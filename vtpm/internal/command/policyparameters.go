package command

import (
	"github.com/bootseal/bootseal/vtpm/internal/engine"
	"github.com/bootseal/bootseal/vtpm/internal/wire"
)

type policyParametersIn struct {
	PolicySession wire.TPMISHPolicy
	PHash         wire.TPM2BDigest
}

// TPM2_PolicyParameters, Part 3, 23.24: limit a policy to one command with one set
// of parameters, on any entity.
func policyParameters(t *engine.TPM, in *policyParametersIn) error {
	s := policySession(t, in.PolicySession)
	if len(in.PHash) != len(s.Policy.Digest) {
		return wire.RCSize.Param(1)
	}
	if s.Policy.RestrictionKind != engine.RestrictNothing {
		return wire.RCCpHash
	}
	extendPolicy(s, wire.CCPolicyParameters, in.PHash)
	restrict(s, engine.RestrictParameters, in.PHash)
	return nil
}
