package command

import (
	"github.com/bootseal/bootseal/vtpm/internal/engine"
	"github.com/bootseal/bootseal/vtpm/internal/wire"
)

type createPrimaryIn struct {
	PrimaryHandle wire.TPMIRHHierarchy
	InSensitive   wire.TPM2BSensitiveCreate
	InPublic      wire.TPM2BPublic
	OutsideInfo   wire.TPM2BData
	CreationPCR   wire.TPMLPCRSelection
}

type createPrimaryOut struct {
	ObjectHandle   wire.Handle
	OutPublic      wire.TPM2BPublic
	CreationData   wire.TPM2BCreationData
	CreationHash   wire.TPM2BDigest
	CreationTicket wire.TPMTTKCreation
	Name           wire.TPM2BName
}

// TPM2_CreatePrimary, Part 3, 24.1: create a primary object from a hierarchy's
// seed, and load it.
func createPrimary(t *engine.TPM, in *createPrimaryIn) (*createPrimaryOut, error) {
	if err := t.Objects.HasRoom(); err != nil {
		return nil, err
	}
	pub, create := &in.InPublic.PublicArea, &in.InSensitive.Sensitive
	if err := checkTemplate(nil, pub, len(create.Data)); err != nil {
		return nil, err.(wire.RC).Param(2)
	}
	var err error
	if create.UserAuth, err = fitAuth(create.UserAuth, pub.NameAlg); err != nil {
		return nil, err.(wire.RC).Param(1)
	}
	hierarchy := in.PrimaryHandle.Handle()
	o, err := generatePrimary(t, hierarchy, pub, create)
	if err != nil {
		return nil, err
	}

	h, err := addObject(t, o, hierarchy)
	if err != nil {
		return nil, err
	}

	c := recordCreation(t, hierarchy, o, in.CreationPCR, in.OutsideInfo)
	return &createPrimaryOut{
		ObjectHandle:   h,
		OutPublic:      wire.TPM2BPublic{PublicArea: o.Public},
		CreationData:   c.data,
		CreationHash:   c.hash,
		CreationTicket: c.ticket,
		Name:           o.Name,
	}, nil
}
