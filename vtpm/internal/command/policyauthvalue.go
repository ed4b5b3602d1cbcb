package command

import (
	"github.com/bootseal/bootseal/vtpm/internal/engine"
	"github.com/bootseal/bootseal/vtpm/internal/wire"
)

type policyAuthValueIn struct {
	PolicySession wire.TPMISHPolicy
}

// TPM2_PolicyAuthValue, Part 3, 23.17: make a policy demand the authValue of the
// authorized entity, as part of the HMAC key.
func policyAuthValue(t *engine.TPM, in *policyAuthValueIn) error {
	s := policySession(t, in.PolicySession)
	extendPolicy(s, wire.CCPolicyAuthValue)
	s.Policy.AuthValueNeeded, s.Policy.PasswordNeeded = true, false
	return nil
}
