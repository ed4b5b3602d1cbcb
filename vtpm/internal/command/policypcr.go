package command

import (
	"bytes"

	"github.com/bootseal/bootseal/vtpm/internal/engine"
	"github.com/bootseal/bootseal/vtpm/internal/wire"
)

type policyPCRIn struct {
	PolicySession wire.TPMISHPolicy
	PCRDigest     wire.TPM2BDigest
	PCRs          wire.TPMLPCRSelection
}

// TPM2_PolicyPCR, Part 3, 23.7: make a policy depend on the values of PCRs.
//
// What enters the policy is the selection without the PCRs that are not
// implemented, and for a trial session the digest that the caller gives.
func policyPCR(t *engine.TPM, in *policyPCRIn) error {
	s := policySession(t, in.PolicySession)
	selection := t.PCR.Filter(in.PCRs)
	digest := t.PCR.Composite(s.AuthHash, selection)
	p := &s.Policy
	if s.IsTrial() {
		if len(in.PCRDigest) != 0 {
			digest = in.PCRDigest
		}
	} else {
		if p.PCRChecked && p.PCRCounter != t.PCR.UpdateCounter {
			return wire.RCPCRChanged
		}
		if len(in.PCRDigest) != 0 && !bytes.Equal(in.PCRDigest, digest) {
			return wire.RCValue.Param(1)
		}
		p.PCRCounter, p.PCRChecked = t.PCR.UpdateCounter, true
	}
	extendPolicy(s, wire.CCPolicyPCR, wire.Marshal(selection), digest)
	return nil
}
