package command

import (
	"github.com/bootseal/bootseal/vtpm/internal/engine"
	"github.com/bootseal/bootseal/vtpm/internal/wire"
)

type evictControlIn struct {
	Auth             wire.TPMIRHProvision
	ObjectHandle     wire.TPMIDHObject
	PersistentHandle wire.TPMIDHPersistent `tpm:"parameter"`
}

// TPM2_EvictControl, Part 3, 28.5: make a transient object persistent, or end a
// persistent one.
func evictControl(t *engine.TPM, in *evictControlIn) error {
	h, persistent := in.ObjectHandle.Handle(), in.PersistentHandle.Handle()
	o := t.Objects.At(h)
	if o.Hierarchy == wire.HandleNull || o.STClear || o.PublicOnly {
		return wire.RCAttributes.Handle(2)
	}
	evict := h.Type() == wire.HTPersistent
	if evict && h != persistent {
		return wire.RCHandle.Handle(2)
	}
	// The platform may end any object, and make its own ones persistent. The owner
	// may do either with all but the platform's.
	platform := in.Auth.Handle() == wire.HandlePlatform
	platformObject := o.Hierarchy == wire.HandlePlatform
	if platform && !evict && !platformObject || !platform && platformObject {
		return wire.RCHierarchy.Handle(2)
	}
	if !evict && platform != (persistent >= wire.PlatformPersistent) {
		return wire.RCRange.Param(1)
	}
	if !evict && t.Objects.At(persistent) != nil {
		return wire.RCNVDefined
	}

	if evict {
		t.Unpersist(h)
		return nil
	}
	return t.Persist(persistent, o)
}
