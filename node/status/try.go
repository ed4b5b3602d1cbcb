package status

import (
	"bytes"
	"errors"
	"fmt"
	"slices"

	"github.com/bootseal/bootseal/seal"
	"github.com/google/go-tpm/tpm2"
	"github.com/google/go-tpm/tpm2/transport"
)

// Try asks the TPM whether it takes the sealed objects of tokens, and fills in Refused: a
// TPM that was cleared, or another one, does not, and none takes a damaged object. Nothing
// is unsealed, and no try is counted.
//
// A parent at a handle is compared for each token. Objects are loaded of the tokens in
// ids only, because that takes a hardware TPM a tenth of a second each, or three where
// the parent has to be made; of the others too, once one of the same parent is refused.
func Try(tpm transport.TPM, v *Volume, ids []int) error {
	v.Refused = make(map[int]string)
	keys := v.keys()
	if err := v.compareParents(tpm, keys); err != nil {
		return err
	}
	if err := v.compareGuards(tpm, keys); err != nil {
		return err
	}
	suspect := make(map[seal.Template]bool)
	for i := range keys {
		if k := &keys[i]; slices.Contains(ids, k.ID) {
			if err := v.try(tpm, k); err != nil {
				return err
			}
			if v.Refused[k.ID] != "" {
				suspect[k.Parent.Template] = true
			}
		}
	}
	for i := range keys {
		if k := &keys[i]; k.Parent.Template != "" && suspect[k.Parent.Template] {
			if err := v.try(tpm, k); err != nil {
				return err
			}
		}
	}
	return nil
}

// compareParents refuses tokens whose parent is not the key at its handle.
func (v *Volume) compareParents(tpm transport.TPM, keys []key) error {
	have := make(map[seal.Handle]seal.Name)
	for _, k := range keys {
		if k.Parent.Template != "" {
			continue
		}
		name, ok := have[k.Parent.Handle]
		if !ok {
			p, err := seal.ReadParent(tpm, k.Parent.Handle)
			var other *seal.ParentError
			if err != nil && !errors.As(err, &other) {
				return err
			}
			name, have[k.Parent.Handle] = p.Name, p.Name
		}
		switch {
		case len(name) == 0:
			v.Refused[k.ID] = "its parent key is not in this TPM"
		case !bytes.Equal(name, k.Parent.Name):
			v.Refused[k.ID] = "its parent key is not this TPM's"
		}
	}
	return nil
}

// compareGuards refuses tokens whose count is over.
func (v *Volume) compareGuards(tpm transport.TPM, keys []key) error {
	for _, k := range keys {
		if k.Guard == nil || v.Refused[k.ID] != "" {
			continue
		}
		count, err := seal.ReadGuard(tpm, k.Parent, *k.Guard)
		var gone *seal.GuardError
		switch {
		case errors.As(err, &gone):
			v.Refused[k.ID] = "the counter of its rollback guard is gone, or another one"
		case err != nil:
			return err
		case count > k.Guard.Value:
			v.Refused[k.ID] = fmt.Sprintf("it was retired: the rollback guard stands at %d, behind its %d", count, k.Guard.Value)
		}
	}
	return nil
}

// try has the TPM load a token's object, unless that is known already.
func (v *Volume) try(tpm transport.TPM, k *key) error {
	if v.Refused[k.ID] != "" || k.Opaque || k.Object.Seed != nil { // an object to import is believed
		return nil
	}
	err := seal.Takes(tpm, &seal.Sealed{Parent: k.Parent, Public: k.Object.Public, Private: k.Object.Private})
	var foreign *seal.ForeignError
	var parent *seal.ParentError
	var locked *seal.LockoutError
	switch {
	case errors.As(err, &foreign), errors.As(err, &parent):
		v.Refused[k.ID] = "this TPM did not make it, or it is damaged"
	case errors.As(err, &locked):
		v.Refused[k.ID] = "the TPM is in lockout"
	case isAbout(err):
		v.Refused[k.ID] = "the TPM cannot read it: it is damaged"
	default:
		return err
	}
	return nil
}

// isAbout tells what the TPM says about what it was given, as opposed to a TPM that has
// no room, is busy or broken (Part 2, "Response Code Details": format one).
func isAbout(err error) bool {
	const formatOne = 0x80
	var code tpm2.TPMRC
	return errors.As(err, &code) && code&formatOne != 0
}
