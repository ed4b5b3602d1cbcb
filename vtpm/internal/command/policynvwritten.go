package command

import (
	"github.com/bootseal/bootseal/vtpm/internal/engine"
	"github.com/bootseal/bootseal/vtpm/internal/wire"
)

type policyNvWrittenIn struct {
	PolicySession wire.TPMISHPolicy
	WrittenSet    wire.TPMIYesNo
}

// TPM2_PolicyNvWritten, Part 3, 23.20: make the policy of an NV Index depend on
// whether it was written.
func policyNvWritten(t *engine.TPM, in *policyNvWrittenIn) error {
	s := policySession(t, in.PolicySession)
	p := &s.Policy
	if p.CheckNVWritten && p.NVWritten != bool(in.WrittenSet) {
		return wire.RCValue.Param(1)
	}
	extendPolicy(s, wire.CCPolicyNvWritten, wire.Marshal(in.WrittenSet))
	p.CheckNVWritten, p.NVWritten = true, bool(in.WrittenSet)
	return nil
}
