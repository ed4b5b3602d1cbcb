package command

import (
	"github.com/bootseal/bootseal/vtpm/internal/engine"
	"github.com/bootseal/bootseal/vtpm/internal/wire"
)

type createIn struct {
	ParentHandle wire.TPMIDHObject
	InSensitive  wire.TPM2BSensitiveCreate
	InPublic     wire.TPM2BPublic
	OutsideInfo  wire.TPM2BData
	CreationPCR  wire.TPMLPCRSelection
}

type createOut struct {
	OutPrivate     wire.TPM2BPrivate
	OutPublic      wire.TPM2BPublic
	CreationData   wire.TPM2BCreationData
	CreationHash   wire.TPM2BDigest
	CreationTicket wire.TPMTTKCreation
}

// TPM2_Create, Part 3, 12.1: create an object that its parent protects outside of
// the TPM.
func create(t *engine.TPM, in *createIn) (*createOut, error) {
	h := in.ParentHandle.Handle()
	parent := t.Objects.At(h)
	if !parent.IsStorage() {
		return nil, wire.RCType.Handle(1)
	}
	// Nothing is loaded, but implementations make the object in a slot, and
	// resource managers are used to that.
	if err := t.Objects.HasRoom(); err != nil {
		return nil, err
	}
	pub, create := &in.InPublic.PublicArea, &in.InSensitive.Sensitive
	if err := checkTemplate(parent, pub, len(create.Data)); err != nil {
		return nil, err.(wire.RC).Param(2)
	}
	var err error
	if create.UserAuth, err = fitAuth(create.UserAuth, pub.NameAlg); err != nil {
		return nil, err.(wire.RC).Param(1)
	}
	o, err := generate(t, pub, create)
	if err != nil {
		return nil, err
	}
	defer o.Wipe()

	private, err := wrapSensitive(t, parent, o.Name, pub.NameAlg, &o.Sensitive)
	if err != nil {
		return nil, err
	}
	c := recordCreation(t, h, o, in.CreationPCR, in.OutsideInfo)
	return &createOut{
		OutPrivate:     private,
		OutPublic:      wire.TPM2BPublic{PublicArea: o.Public},
		CreationData:   c.data,
		CreationHash:   c.hash,
		CreationTicket: c.ticket,
	}, nil
}
