package command

import (
	"github.com/bootseal/bootseal/vtpm/internal/engine"
	"github.com/bootseal/bootseal/vtpm/internal/wire"
)

type policyCommandCodeIn struct {
	PolicySession wire.TPMISHPolicy
	Code          wire.CC
}

// TPM2_PolicyCommandCode, Part 3, 23.11: limit a policy to one command.
func policyCommandCode(t *engine.TPM, in *policyCommandCodeIn) error {
	s := policySession(t, in.PolicySession)
	if s.Policy.CommandCode != 0 && s.Policy.CommandCode != in.Code {
		return wire.RCValue.Param(1)
	}
	if !t.Commands.Implemented(in.Code) {
		return wire.RCPolicyCC.Param(1)
	}
	extendPolicy(s, wire.CCPolicyCommandCode, wire.Marshal(in.Code))
	s.Policy.CommandCode = in.Code
	return nil
}
