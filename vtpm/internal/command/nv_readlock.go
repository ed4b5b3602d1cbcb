package command

import (
	"github.com/bootseal/bootseal/vtpm/internal/engine"
	"github.com/bootseal/bootseal/vtpm/internal/wire"
)

type nvReadLockIn struct {
	AuthHandle wire.TPMIRHNVAuth
	NVIndex    wire.TPMIRHNVIndex
}

// TPM2_NV_ReadLock, Part 3, 31.14: refuse further reads of an NV Index until the
// next Startup(CLEAR), also of one that was not written yet.
func nvReadLock(t *engine.TPM, in *nvReadLockIn) error {
	x := t.NV.At(in.NVIndex.Handle())
	if err := nvReadOnlyMode(t, x); err != nil {
		return err
	}
	if x.Has(wire.NVReadLocked) {
		return nil // whoever asks: the reference looks no further
	}
	if !nvMayAccess(in.AuthHandle.Handle(), x, wire.NVOwnerRead, wire.NVPPRead) {
		return wire.RCNVAuthorization
	}
	if !x.Has(wire.NVReadSTClear) {
		return wire.RCAttributes.Handle(2)
	}
	t.SetNVAttributes(x, x.Public.Attributes|wire.NVReadLocked)
	return nil
}
