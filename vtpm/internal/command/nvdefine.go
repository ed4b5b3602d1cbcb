package command

import (
	"bytes"

	"github.com/bootseal/bootseal/vtpm/internal/crypt"
	"github.com/bootseal/bootseal/vtpm/internal/engine"
	"github.com/bootseal/bootseal/vtpm/internal/wire"
)

// defineNV is what TPM2_NV_DefineSpace and TPM2_NV_DefineSpace2 share: handle 1
// authorizes, parameter 1 is the authValue, parameter 2 the public area.
func defineNV(t *engine.TPM, authHandle wire.Handle, auth []byte, public wire.TPMSNVPublic) error {
	size := crypt.Size(public.NameAlg)
	if len(public.AuthPolicy) != 0 && len(public.AuthPolicy) != size {
		return wire.RCSize.Param(2)
	}
	auth = engine.TrimAuth(auth)
	if len(auth) > size {
		return wire.RCSize.Param(1)
	}
	// While phEnable is clear the platform could not have authorized; phEnableNV
	// is a switch of its own.
	if authHandle == wire.HandlePlatform && !t.Hierarchies.PlatformNVEnabled {
		return wire.RCHierarchy.Handle(1)
	}
	if err := checkNVType(&public, size); err != nil {
		return err
	}
	if err := checkNVAttributes(public.Attributes, authHandle); err != nil {
		return err
	}
	// What is always written whole must fit into one command.
	if public.Attributes.Has(wire.NVWriteAll) && public.DataSize > wire.MaxNVBuffer {
		return wire.RCSize.Param(2)
	}
	if t.NV.At(public.NVIndex) != nil {
		return wire.RCNVDefined
	}
	return t.DefineNV(&engine.NVIndex{Public: public, Auth: bytes.Clone(auth)})
}

// checkNVType checks the index's type, the size of its data (an Extend index
// holds one digest of digestSize bytes) and the attributes that depend on the
// type.
func checkNVType(public *wire.TPMSNVPublic, digestSize int) error {
	a := public.Attributes
	size := 8
	switch a.Type() {
	case wire.NTOrdinary:
		size = int(public.DataSize) // its limit is that of the structure
	case wire.NTExtend:
		size = digestSize
	case wire.NTCounter, wire.NTBits, wire.NTPinFail, wire.NTPinPass:
	default:
		return wire.RCAttributes.Param(2)
	}
	if int(public.DataSize) != size {
		return wire.RCSize.Param(2)
	}
	switch a.Type() {
	case wire.NTCounter:
		if a.Has(wire.NVClearSTClear) {
			return wire.RCAttributes.Param(2)
		}
	case wire.NTPinFail:
		// What counts its own failures must not count for the dictionary attack
		// protection, too.
		if !a.Has(wire.NVNoDA) {
			return wire.RCAttributes.Param(2)
		}
		fallthrough
	case wire.NTPinPass:
		// The authValue does not work before the first write, and pinCount must
		// always have somebody who can set it back.
		if a.Any(wire.NVAuthWrite | wire.NVGlobalLock | wire.NVWriteDefine) {
			return wire.RCAttributes.Param(2)
		}
	}
	return nil
}

// checkNVAttributes checks the attributes of any type of index.
func checkNVAttributes(a wire.TPMANV, authHandle wire.Handle) error {
	const (
		readers = wire.NVOwnerRead | wire.NVPPRead | wire.NVAuthRead | wire.NVPolicyRead
		writers = wire.NVOwnerWrite | wire.NVPPWrite | wire.NVAuthWrite | wire.NVPolicyWrite
	)
	switch {
	case a.Any(wire.NVWritten | wire.NVWriteLocked | wire.NVReadLocked):
		return wire.RCAttributes.Param(2)
	case !a.Any(readers), !a.Any(writers):
		return wire.RCAttributes.Param(2)
	case a.Has(wire.NVClearSTClear | wire.NVWriteDefine):
		return wire.RCAttributes.Param(2)
	case a.Has(wire.NVPlatformCreate) != (authHandle == wire.HandlePlatform):
		return wire.RCAttributes.Handle(1)
	case a.Has(wire.NVPolicyDelete) && authHandle != wire.HandlePlatform:
		return wire.RCAttributes.Param(2)
	}
	return nil
}
