package command

import (
	"github.com/bootseal/bootseal/vtpm/internal/crypt"
	"github.com/bootseal/bootseal/vtpm/internal/engine"
	"github.com/bootseal/bootseal/vtpm/internal/wire"
)

type importIn struct {
	ParentHandle  wire.TPMIDHObject
	EncryptionKey wire.TPM2BData
	ObjectPublic  wire.TPM2BPublic
	Duplicate     wire.TPM2BPrivate
	InSymSeed     wire.TPM2BEncryptedSecret
	SymmetricAlg  wire.TPMTSymDefObject `tpm:"+"`
}

type importOut struct {
	OutPrivate wire.TPM2BPrivate
}

// TPM2_Import, Part 3, 13.3: make a duplicate a child of its new parent, which
// protects it from then on.
func importObject(t *engine.TPM, in *importIn) (*importOut, error) {
	pub := &in.ObjectPublic.PublicArea
	if pub.ObjectAttributes.Any(wire.ObjFixedTPM | wire.ObjFixedParent) {
		return nil, wire.RCAttributes.Param(2)
	}
	parent := t.Objects.At(in.ParentHandle.Handle())
	if !parent.IsStorage() {
		return nil, wire.RCType.Handle(1)
	}
	// KeyBits is zero without an inner wrapper.
	if 8*len(in.EncryptionKey) != int(in.SymmetricAlg.KeyBits) {
		return nil, wire.RCSize.Param(1)
	}
	encrypted := pub.ObjectAttributes.Has(wire.ObjEncryptedDuplication)
	if encrypted && in.SymmetricAlg.Algorithm == wire.AlgNull {
		return nil, wire.RCAttributes.Param(1)
	}
	if encrypted && len(in.InSymSeed) == 0 {
		return nil, wire.RCAttributes.Param(4)
	}
	var outer crypt.Protection
	var err error
	if len(in.InSymSeed) != 0 {
		if !isAsymmetric(parent.Public.Type) {
			return nil, wire.RCType.Handle(1)
		}
		if outer, err = openOuterWrap(parent, in.InSymSeed); err != nil {
			return nil, err.(wire.RC).Param(4)
		}
		defer clear(outer.Seed)
	}
	sens, err := unwrapDuplicate(t, parent, pub, outer, innerWrap(in.SymmetricAlg, in.EncryptionKey), in.Duplicate)
	if err != nil {
		return nil, err
	}

	private, err := wrapSensitive(t, parent, crypt.ObjectName(pub), pub.NameAlg, &sens)
	clear(sens.Sensitive)
	if err != nil {
		return nil, err
	}
	return &importOut{OutPrivate: private}, nil
}

// unwrapDuplicate takes the wrappers off a duplicate. Below a parent with fixedTPM
// it checks the object too, as TPM2_Load will not check what such a parent
// protects.
func unwrapDuplicate(t *engine.TPM, parent *engine.Object, pub *wire.TPMTPublic, outer crypt.Protection, inner crypt.InnerWrap, blob []byte) (wire.TPMTSensitive, error) {
	sens, err := crypt.DuplicateToSensitive(outer, inner, crypt.ObjectName(pub), pub.NameAlg, blob, t.Limits())
	if err != nil {
		return sens, err.(wire.RC).Param(3)
	}
	if parent.Has(wire.ObjFixedTPM) {
		err = checkLoad(nil, pub, &sens, crypt.Blame{Public: 2, Sensitive: 3})
	}
	return sens, err
}
