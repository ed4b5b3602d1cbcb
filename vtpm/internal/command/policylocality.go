package command

import (
	"github.com/bootseal/bootseal/vtpm/internal/engine"
	"github.com/bootseal/bootseal/vtpm/internal/wire"
)

type policyLocalityIn struct {
	PolicySession wire.TPMISHPolicy
	Locality      wire.TPMALocality
}

// TPM2_PolicyLocality, Part 3, 23.8: limit a policy to localities. Further calls
// narrow the set, and may not empty it.
func policyLocality(t *engine.TPM, in *policyLocalityIn) error {
	s := policySession(t, in.PolicySession)
	allowed := in.Locality
	switch before := wire.TPMALocality(s.Policy.Locality); {
	case before == 0, allowed == before:
	case allowed.Extended() || before.Extended():
		allowed = 0
	default:
		allowed &= before
	}
	if allowed == 0 {
		return wire.RCRange.Param(1)
	}
	extendPolicy(s, wire.CCPolicyLocality, wire.Marshal(in.Locality))
	s.Policy.Locality = uint8(allowed)
	return nil
}
