package command

import (
	"github.com/bootseal/bootseal/vtpm/internal/engine"
	"github.com/bootseal/bootseal/vtpm/internal/wire"
)

type policyNVIn struct {
	AuthHandle    wire.TPMIRHNVAuth
	NVIndex       wire.TPMIRHNVIndex
	PolicySession wire.TPMISHPolicy
	OperandB      wire.TPM2BOperand
	Offset        uint16
	Operation     wire.EO
}

// TPM2_PolicyNV, Part 3, 23.9: make a policy depend on the contents of an NV
// Index.
func policyNV(t *engine.TPM, in *policyNVIn) error {
	s := policySession(t, in.PolicySession)
	x := t.NV.At(in.NVIndex.Handle())
	if !s.IsTrial() {
		if err := nvReadable(in.AuthHandle.Handle(), x); err != nil {
			return err
		}
		if int(in.Offset) > len(x.Data) {
			return wire.RCValue.Param(2)
		}
		a := x.Data[in.Offset:]
		if len(a) < len(in.OperandB) {
			return wire.RCSize.Param(1)
		}
		if !holds(in.Operation, a[:len(in.OperandB)], in.OperandB) {
			return wire.RCPolicy
		}
	}
	extendPolicy(s, wire.CCPolicyNV, comparisonHash(s.AuthHash, in.OperandB, in.Offset, in.Operation), x.Name())
	return nil
}
