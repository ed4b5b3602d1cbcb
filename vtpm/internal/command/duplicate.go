package command

import (
	"github.com/bootseal/bootseal/vtpm/internal/crypt"
	"github.com/bootseal/bootseal/vtpm/internal/engine"
	"github.com/bootseal/bootseal/vtpm/internal/wire"
)

type duplicateIn struct {
	ObjectHandle    wire.TPMIDHObject
	NewParentHandle wire.TPMIDHObject `tpm:"+"`
	EncryptionKeyIn wire.TPM2BData
	SymmetricAlg    wire.TPMTSymDefObject `tpm:"+"`
}

type duplicateOut struct {
	EncryptionKeyOut wire.TPM2BData
	Duplicate        wire.TPM2BPrivate
	OutSymSeed       wire.TPM2BEncryptedSecret
}

// TPM2_Duplicate, Part 3, 13.1: return an object's sensitive area for another
// parent: encrypted to that parent, to a key of the caller's, to both or to none.
func duplicate(t *engine.TPM, in *duplicateIn) (*duplicateOut, error) {
	o, newParent := t.Objects.At(in.ObjectHandle.Handle()), t.Objects.At(in.NewParentHandle.Handle())
	if o.Has(wire.ObjFixedParent) {
		return nil, wire.RCAttributes.Handle(1)
	}
	if o.Public.NameAlg == wire.AlgNull {
		return nil, wire.RCType.Handle(1)
	}
	if newParent != nil && !isStorageKey(&newParent.Public) {
		return nil, wire.RCType.Handle(2)
	}
	if o.Has(wire.ObjEncryptedDuplication) {
		if in.SymmetricAlg.Algorithm == wire.AlgNull {
			return nil, wire.RCSymmetric.Param(2)
		}
		if newParent == nil {
			return nil, wire.RCHierarchy.Handle(2)
		}
	}
	if n := len(in.EncryptionKeyIn); n != 0 && 8*n != int(in.SymmetricAlg.KeyBits) {
		return nil, wire.RCSize.Param(1)
	}

	out := new(duplicateOut)
	inner := innerWrap(in.SymmetricAlg, in.EncryptionKeyIn)
	if len(inner.Key) == 0 && inner.KeyBits != 0 {
		key, err := t.RandomBytes(int(inner.KeyBits) / 8)
		if err != nil {
			return nil, err
		}
		inner.Key, out.EncryptionKeyOut = key, key
	}
	outer, secret, err := outerWrap(t, newParent)
	if err != nil {
		return nil, err
	}
	defer clear(outer.Seed)
	out.OutSymSeed = secret
	out.Duplicate, err = crypt.SensitiveToDuplicate(outer, inner, o.Name, o.Public.NameAlg, &o.Sensitive)
	if err != nil {
		return nil, err
	}
	return out, nil
}
