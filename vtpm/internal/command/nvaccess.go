package command

import (
	"github.com/bootseal/bootseal/vtpm/internal/engine"
	"github.com/bootseal/bootseal/vtpm/internal/wire"
)

// The checks that the commands on an NV Index share (Part 3, "Non-volatile
// Storage"). That the index itself may authorize the access by its authValue or
// policy was checked with the authorization.

// nvReadable returns nil when authHandle may read the index now.
func nvReadable(authHandle wire.Handle, x *engine.NVIndex) error {
	if x.Has(wire.NVReadLocked) {
		return wire.RCNVLocked
	}
	if !nvMayAccess(authHandle, x, wire.NVOwnerRead, wire.NVPPRead) {
		return wire.RCNVAuthorization
	}
	if !x.Has(wire.NVWritten) {
		return wire.RCNVUninitialized
	}
	return nil
}

// nvWritable returns nil when authHandle may write the index now.
func nvWritable(authHandle wire.Handle, x *engine.NVIndex) error {
	if x.Has(wire.NVWriteLocked) {
		return wire.RCNVLocked
	}
	if !nvMayAccess(authHandle, x, wire.NVOwnerWrite, wire.NVPPWrite) {
		return wire.RCNVAuthorization
	}
	return nil
}

// nvMayAccess reports whether authHandle may authorize an access that takes the
// attribute owner with owner authorization, platform with platform authorization.
// Another index authorizes nothing.
func nvMayAccess(authHandle wire.Handle, x *engine.NVIndex, owner, platform wire.TPMANV) bool {
	switch authHandle {
	case wire.HandleOwner:
		return x.Has(owner)
	case wire.HandlePlatform:
		return x.Has(platform)
	}
	return authHandle == x.Public.NVIndex
}

// nvReadOnlyMode refuses to change what outlives the next Startup while the TPM is
// in read-only mode (Part 3, "TPM2_ReadOnlyControl").
func nvReadOnlyMode(t *engine.TPM, x *engine.NVIndex) error {
	if t.Hierarchies.ReadOnly && !x.Has(wire.NVOrderly|wire.NVClearSTClear) {
		return wire.RCReadOnly
	}
	return nil
}
