package command

import (
	"github.com/bootseal/bootseal/vtpm/internal/crypt"
	"github.com/bootseal/bootseal/vtpm/internal/engine"
	"github.com/bootseal/bootseal/vtpm/internal/wire"
)

type policyDuplicationSelectIn struct {
	PolicySession wire.TPMISHPolicy
	ObjectName    wire.TPM2BName
	NewParentName wire.TPM2BName
	IncludeObject wire.TPMIYesNo
}

// TPM2_PolicyDuplicationSelect, Part 3, 23.15: limit a policy to TPM2_Duplicate of
// an object to a new parent. With includeObject the policy itself names the
// object; without, the policy works for any object and this session for one.
func policyDuplicationSelect(t *engine.TPM, in *policyDuplicationSelectIn) error {
	s := policySession(t, in.PolicySession)
	if s.Policy.RestrictionKind != engine.RestrictNothing {
		return wire.RCCpHash
	}
	if s.Policy.CommandCode != 0 {
		return wire.RCCommandCode
	}
	object := in.ObjectName
	if !in.IncludeObject {
		object = nil
	}
	extendPolicy(s, wire.CCPolicyDuplicationSelect, object, in.NewParentName, wire.Marshal(in.IncludeObject))
	restrict(s, engine.RestrictNameHash, crypt.Digest(s.AuthHash, in.ObjectName, in.NewParentName))
	s.Policy.CommandCode = wire.CCDuplicate
	return nil
}
