package command

import (
	"github.com/bootseal/bootseal/vtpm/internal/engine"
	"github.com/bootseal/bootseal/vtpm/internal/wire"
)

type policyPhysicalPresenceIn struct {
	PolicySession wire.TPMISHPolicy
}

// TPM2_PolicyPhysicalPresence, Part 3, 23.12: make a policy demand that physical
// presence is asserted when it is used.
func policyPhysicalPresence(t *engine.TPM, in *policyPhysicalPresenceIn) error {
	s := policySession(t, in.PolicySession)
	extendPolicy(s, wire.CCPolicyPhysicalPresence)
	s.Policy.PresenceRequired = true
	return nil
}
