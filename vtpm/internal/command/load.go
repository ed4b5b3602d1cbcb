package command

import (
	"github.com/bootseal/bootseal/vtpm/internal/crypt"
	"github.com/bootseal/bootseal/vtpm/internal/engine"
	"github.com/bootseal/bootseal/vtpm/internal/wire"
)

type loadIn struct {
	ParentHandle wire.TPMIDHObject
	InPrivate    wire.TPM2BPrivate
	InPublic     wire.TPM2BPublic
}

type loadOut struct {
	ObjectHandle wire.Handle
	Name         wire.TPM2BName
}

// TPM2_Load, Part 3, 12.2: load an object that its parent protects.
func load(t *engine.TPM, in *loadIn) (*loadOut, error) {
	if err := t.Objects.HasRoom(); err != nil {
		return nil, err
	}
	if len(in.InPrivate) == 0 {
		return nil, wire.RCSize.Param(1)
	}
	h := in.ParentHandle.Handle()
	parent := t.Objects.At(h)
	if !parent.IsStorage() {
		return nil, wire.RCType.Handle(1)
	}
	o := &engine.Object{Public: in.InPublic.PublicArea, Name: crypt.ObjectName(&in.InPublic.PublicArea)}
	var err error
	o.Sensitive, err = crypt.PrivateToSensitive(protectionOf(parent), o.Name, in.InPrivate, t.Limits())
	if err != nil {
		return nil, err.(wire.RC).Param(1)
	}
	if err := checkLoad(parent, &o.Public, &o.Sensitive, crypt.Blame{Public: 2, Sensitive: 1}); err != nil {
		o.Wipe()
		return nil, err
	}

	loaded, err := addObject(t, o, h)
	if err != nil {
		return nil, err
	}
	return &loadOut{ObjectHandle: loaded, Name: o.Name}, nil
}
