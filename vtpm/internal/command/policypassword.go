package command

import (
	"github.com/bootseal/bootseal/vtpm/internal/engine"
	"github.com/bootseal/bootseal/vtpm/internal/wire"
)

type policyPasswordIn struct {
	PolicySession wire.TPMISHPolicy
}

// TPM2_PolicyPassword, Part 3, 23.18: make a policy demand the authValue of the
// authorized entity, in the clear.
//
// It enters the policy as TPM2_PolicyAuthValue does, so that who uses the policy
// chooses between the two.
func policyPassword(t *engine.TPM, in *policyPasswordIn) error {
	s := policySession(t, in.PolicySession)
	extendPolicy(s, wire.CCPolicyAuthValue)
	s.Policy.PasswordNeeded, s.Policy.AuthValueNeeded = true, false
	return nil
}
