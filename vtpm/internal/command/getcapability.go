package command

import (
	"cmp"
	"slices"

	"github.com/bootseal/bootseal/vtpm/internal/engine"
	"github.com/bootseal/bootseal/vtpm/internal/wire"
)

type getCapabilityIn struct {
	Capability    wire.Cap
	Property      uint32
	PropertyCount uint32
}

type getCapabilityOut struct {
	MoreData       wire.TPMIYesNo
	CapabilityData wire.TPMSCapabilityData
}

// TPM2_GetCapability, Part 3, 30.2: say what the TPM is, has and can.
func getCapability(t *engine.TPM, in *getCapabilityIn) (*getCapabilityOut, error) {
	if t.Failure() != nil {
		return failureCapability(t, in)
	}
	out := &getCapabilityOut{CapabilityData: wire.TPMSCapabilityData{Capability: in.Capability}}
	d, more := &out.CapabilityData.Data, false
	first, count := in.Property, in.PropertyCount
	switch in.Capability {
	case wire.CapAlgs:
		// The property is a TPM_ALG_ID, half of what there is room for.
		d.Algorithms, more = page(algorithms(t.Limits()), first&0xFFFF, count, wire.MaxCapAlgs,
			func(p wire.TPMSAlgProperty) uint32 { return uint32(p.Alg) })
	case wire.CapHandles:
		handles, ok := handlesOfType(t, wire.Handle(first).Type())
		if !ok {
			return nil, wire.RCHandle.Param(2)
		}
		d.Handles, more = page(handles, first, count, wire.MaxCapHandles, handleOrder(first))
	case wire.CapCommands:
		d.Command, more = page(t.Commands.Attributes(), first, count, wire.MaxCapCC,
			func(a wire.TPMACC) uint32 { return uint32(a) & 0xFFFF })
	case wire.CapPPCommands:
		d.PPCommands, more = page(presenceCommands(t), first, count, wire.MaxCapCC, self)
	case wire.CapAuditCommands:
		d.AuditCommands, more = page(t.Audit.List(), first, count, wire.MaxCapCC, self)
	case wire.CapPCRs:
		if first != 0 {
			return nil, wire.RCValue.Param(2)
		}
		// All banks or nothing.
		if more = count == 0; !more {
			d.AssignedPCR = t.PCR.Allocation()
		}
	case wire.CapTPMProperties:
		group := propertyGroup(wire.PT(first))
		d.TPMProperties, more = page(properties(t, group), first, count, wire.MaxTPMProperties,
			func(p wire.TPMSTaggedProperty) uint32 { return uint32(p.Property) })
	case wire.CapPCRProperties:
		d.PCRProperties, more = page(pcrProperties(t), first, count, wire.MaxPCRProperties,
			func(p wire.TPMSTaggedPCRSelect) uint32 { return uint32(p.Tag) })
	case wire.CapECCCurves:
		d.ECCCurves, more = page(slices.Sorted(slices.Values(t.Limits().Curves)), first&0xFFFF, count, wire.MaxECCCurves, self)
	case wire.CapAuthPolicies:
		if wire.Handle(first).Type() != wire.HTPermanent {
			return nil, wire.RCValue.Param(2)
		}
		d.AuthPolicies, more = page(authPolicies(t), first, count, wire.MaxTaggedPolicies,
			func(p wire.TPMSTaggedPolicy) uint32 { return uint32(p.Handle) })
	case wire.CapACT:
		if h := wire.Handle(first); h < wire.HandleACT0 || h > wire.HandleACTF {
			return nil, wire.RCValue.Param(2)
		}
		d.ACTData, more = page(t.ACTs.Data(), first, count, wire.MaxACTData,
			func(a wire.TPMSACTData) uint32 { return uint32(a.Handle) })
	default: // TPM_CAP_VENDOR_PROPERTY
		return nil, wire.RCValue.Param(1)
	}
	out.MoreData = wire.TPMIYesNo(more)
	return out, nil
}

// page returns the first of the elements, which ascend by key, that are not below
// first: at most count, and at most limit. It reports whether there are more.
func page[T any](all []T, first, count uint32, limit int, key func(T) uint32) ([]T, bool) {
	from, _ := slices.BinarySearchFunc(all, first, func(v T, first uint32) int { return cmp.Compare(key(v), first) })
	all = all[from:]
	n := min(int(min(count, uint32(limit))), len(all))
	return all[:n], n < len(all)
}

func self[T ~uint16 | ~uint32](v T) uint32 { return uint32(v) }
