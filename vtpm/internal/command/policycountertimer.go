package command

import (
	"github.com/bootseal/bootseal/vtpm/internal/engine"
	"github.com/bootseal/bootseal/vtpm/internal/wire"
)

type policyCounterTimerIn struct {
	PolicySession wire.TPMISHPolicy
	OperandB      wire.TPM2BOperand
	Offset        uint16
	Operation     wire.EO
}

// TPM2_PolicyCounterTimer, Part 3, 23.10: make a policy depend on the contents of
// TPMS_TIME_INFO. The bounds are checked in a trial session too: a policy that
// looks outside the structure can never be satisfied.
func policyCounterTimer(t *engine.TPM, in *policyCounterTimerIn) error {
	info := wire.Marshal(wire.TPMSTimeInfo{Time: t.Clock.Time, ClockInfo: t.Clock.Info()})
	if int(in.Offset) > len(info) {
		return wire.RCValue.Param(2)
	}
	a := info[in.Offset:]
	if len(in.OperandB) > len(a) {
		return wire.RCRange
	}
	s := policySession(t, in.PolicySession)
	if !s.IsTrial() && !holds(in.Operation, a[:len(in.OperandB)], in.OperandB) {
		return wire.RCPolicy
	}
	extendPolicy(s, wire.CCPolicyCounterTimer, comparisonHash(s.AuthHash, in.OperandB, in.Offset, in.Operation))
	return nil
}
