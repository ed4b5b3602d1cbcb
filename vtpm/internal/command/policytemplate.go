package command

import (
	"github.com/bootseal/bootseal/vtpm/internal/engine"
	"github.com/bootseal/bootseal/vtpm/internal/wire"
)

type policyTemplateIn struct {
	PolicySession wire.TPMISHPolicy
	TemplateHash  wire.TPM2BDigest
}

// TPM2_PolicyTemplate, Part 3, 23.21: limit a policy to the creation of objects of
// one template.
func policyTemplate(t *engine.TPM, in *policyTemplateIn) error {
	s := policySession(t, in.PolicySession)
	if !restrictable(s, engine.RestrictTemplate, in.TemplateHash) {
		return wire.RCCpHash
	}
	if len(in.TemplateHash) != len(s.Policy.Digest) {
		return wire.RCSize.Param(1)
	}
	extendPolicy(s, wire.CCPolicyTemplate, in.TemplateHash)
	restrict(s, engine.RestrictTemplate, in.TemplateHash)
	return nil
}
