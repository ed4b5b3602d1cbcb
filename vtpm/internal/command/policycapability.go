package command

import (
	"encoding/binary"

	"github.com/bootseal/bootseal/vtpm/internal/engine"
	"github.com/bootseal/bootseal/vtpm/internal/wire"
)

type policyCapabilityIn struct {
	PolicySession wire.TPMISHPolicy
	OperandB      wire.TPM2BOperand
	Offset        uint16
	Operation     wire.EO
	Capability    wire.Cap
	Property      uint32
}

// TPM2_PolicyCapability, Part 3, 23.23: make a policy depend on what
// TPM2_GetCapability says of one property. A property that does not exist is
// different from any value.
func policyCapability(t *engine.TPM, in *policyCapabilityIn) error {
	s := policySession(t, in.PolicySession)
	if !s.IsTrial() {
		a, err := capabilityElement(t, in.Capability, in.Property)
		if err != nil {
			return err
		}
		switch {
		case a == nil:
			if in.Operation != wire.EONeq {
				return wire.RCPolicy
			}
		case int(in.Offset) > len(a):
			return wire.RCValue.Param(2)
		case len(a)-int(in.Offset) < len(in.OperandB):
			return wire.RCSize.Param(1)
		case !holds(in.Operation, a[in.Offset:][:len(in.OperandB)], in.OperandB):
			return wire.RCPolicy
		}
	}
	args := comparisonHash(s.AuthHash, in.OperandB, in.Offset, in.Operation, uint32(in.Capability), in.Property)
	extendPolicy(s, wire.CCPolicyCapability, args)
	return nil
}

// capabilityElement returns the element of the capability's list that is about the
// property, or nil when there is none. TPM_CAP_PCRS has no property to ask for.
func capabilityElement(t *engine.TPM, capability wire.Cap, property uint32) ([]byte, error) {
	if capability == wire.CapPCRs {
		return nil, wire.RCValue.Param(4)
	}
	out, err := getCapability(t, &getCapabilityIn{Capability: capability, Property: property, PropertyCount: 1})
	if err != nil {
		rc := err.(wire.RC)
		if rc == wire.RCValue.Param(1) {
			return nil, wire.RCValue.Param(4)
		}
		return nil, rc.Base().Param(5)
	}
	list := wire.Marshal(out.CapabilityData)[4:] // without the capability
	if binary.BigEndian.Uint32(list) == 0 {
		return nil, nil
	}
	element := list[4:]
	switch capability {
	case wire.CapAlgs, wire.CapECCCurves:
		if binary.BigEndian.Uint16(element) == uint16(property) {
			return element, nil
		}
		return nil, nil
	case wire.CapHandles:
		if wire.Handle(property).IsSession() {
			// A session is found by its number, and has the type that was asked for.
			element[0] = byte(property >> 24)
		}
	case wire.CapCommands:
		if binary.BigEndian.Uint32(element)&0xFFFF == property {
			return element, nil
		}
		return nil, nil
	}
	if binary.BigEndian.Uint32(element) == property {
		return element, nil
	}
	return nil, nil
}
