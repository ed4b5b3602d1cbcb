package command

import (
	"github.com/bootseal/bootseal/vtpm/internal/crypt"
	"github.com/bootseal/bootseal/vtpm/internal/engine"
	"github.com/bootseal/bootseal/vtpm/internal/wire"
)

type rewrapIn struct {
	OldParent   wire.TPMIDHObject `tpm:"+"`
	NewParent   wire.TPMIDHObject `tpm:"+"`
	InDuplicate wire.TPM2BPrivate
	Name        wire.TPM2BName
	InSymSeed   wire.TPM2BEncryptedSecret
}

type rewrapOut struct {
	OutDuplicate wire.TPM2BPrivate
	OutSymSeed   wire.TPM2BEncryptedSecret
}

// TPM2_Rewrap, Part 3, 13.2: take the wrapper for one parent off a duplicate, and
// put on the one for another.
func rewrap(t *engine.TPM, in *rewrapIn) (*rewrapOut, error) {
	oldParent, newParent := t.Objects.At(in.OldParent.Handle()), t.Objects.At(in.NewParent.Handle())
	if (oldParent == nil) != (len(in.InSymSeed) == 0) {
		return nil, wire.RCHandle.Handle(1)
	}
	data := []byte(in.InDuplicate)
	if oldParent != nil {
		if !isStorageKey(&oldParent.Public) {
			return nil, wire.RCType.Handle(1)
		}
		p, err := openOuterWrap(oldParent, in.InSymSeed)
		if err != nil {
			return nil, wire.RCValue.Param(3)
		}
		defer clear(p.Seed)
		if data, err = crypt.Unprotect(p, in.Name, false, in.InDuplicate); err != nil {
			return nil, err.(wire.RC).Param(1)
		}
		defer clear(data)
	}
	if newParent == nil {
		return &rewrapOut{OutDuplicate: append([]byte(nil), data...)}, nil
	}
	if !isStorageKey(&newParent.Public) {
		return nil, wire.RCType.Handle(2)
	}
	p, secret, err := outerWrap(t, newParent)
	if err != nil {
		return nil, err
	}
	defer clear(p.Seed)
	wrapped, err := crypt.Protect(p, in.Name, nil, data)
	if err != nil {
		return nil, err
	}
	if !fitsPrivate(t, wrapped) {
		return nil, wire.RCValue.Param(1)
	}
	return &rewrapOut{OutDuplicate: wrapped, OutSymSeed: secret}, nil
}

// fitsPrivate reports whether b is no longer than a TPM2B_PRIVATE can be.
func fitsPrivate(t *engine.TPM, b []byte) bool {
	return t.Unmarshal(wire.Marshal(wire.TPM2BPrivate(b)), new(wire.TPM2BPrivate)) == nil
}
