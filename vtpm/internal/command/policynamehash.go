package command

import (
	"github.com/bootseal/bootseal/vtpm/internal/engine"
	"github.com/bootseal/bootseal/vtpm/internal/wire"
)

type policyNameHashIn struct {
	PolicySession wire.TPMISHPolicy
	NameHash      wire.TPM2BDigest
}

// TPM2_PolicyNameHash, Part 3, 23.14: limit a policy to commands on the entities
// with these Names.
func policyNameHash(t *engine.TPM, in *policyNameHashIn) error {
	s := policySession(t, in.PolicySession)
	if len(in.NameHash) != len(s.Policy.Digest) {
		return wire.RCSize.Param(1)
	}
	if s.Policy.RestrictionKind != engine.RestrictNothing {
		return wire.RCCpHash
	}
	extendPolicy(s, wire.CCPolicyNameHash, in.NameHash)
	restrict(s, engine.RestrictNameHash, in.NameHash)
	return nil
}
