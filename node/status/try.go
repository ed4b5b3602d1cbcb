package status

import (
	"bytes"
	"errors"

	"github.com/bootseal/bootseal/luks"
	"github.com/bootseal/bootseal/node/enrollment"
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
	if err := v.compareParents(tpm); err != nil {
		return err
	}
	suspect := make(map[seal.Template]bool)
	for _, id := range ids {
		if t := v.Enrollment.Token(id); t != nil && t.SystemdTPM2() != nil {
			if err := v.try(tpm, id, t.SystemdTPM2()); err != nil {
				return err
			}
			suspect[enrollment.Parent(t.SystemdTPM2()).Template] = v.Refused[id] != ""
		}
	}
	for _, t := range v.sealed() {
		if template := enrollment.Parent(t.SystemdTPM2()).Template; template != "" && suspect[template] {
			if err := v.try(tpm, t.ID, t.SystemdTPM2()); err != nil {
				return err
			}
		}
	}
	return nil
}

// compareParents refuses tokens whose parent is not the key at its handle.
func (v *Volume) compareParents(tpm transport.TPM) error {
	have := make(map[seal.Handle]seal.Name)
	for _, t := range v.sealed() {
		want := enrollment.Parent(t.SystemdTPM2())
		if want.Template != "" {
			continue
		}
		name, ok := have[want.Handle]
		if !ok {
			p, err := seal.ReadParent(tpm, want.Handle)
			var other *seal.ParentError
			if err != nil && !errors.As(err, &other) {
				return err
			}
			name, have[want.Handle] = p.Name, p.Name
		}
		switch {
		case len(name) == 0:
			v.Refused[t.ID] = "its parent key is not in this TPM"
		case !bytes.Equal(name, want.Name):
			v.Refused[t.ID] = "its parent key is not this TPM's"
		}
	}
	return nil
}

// try has the TPM load a token's object, unless that is known already.
func (v *Volume) try(tpm transport.TPM, id int, s *luks.SystemdTPM2) error {
	blob := s.Shards[0].Blob
	if v.Refused[id] != "" || blob.Seed != nil { // an object to import is believed
		return nil
	}
	err := seal.Takes(tpm, &seal.Sealed{Parent: enrollment.Parent(s), Public: blob.Public, Private: blob.Private})
	var foreign *seal.ForeignError
	var parent *seal.ParentError
	var locked *seal.LockoutError
	switch {
	case errors.As(err, &foreign), errors.As(err, &parent):
		v.Refused[id] = "this TPM did not make it, or it is damaged"
	case errors.As(err, &locked):
		v.Refused[id] = "the TPM is in lockout"
	case isAbout(err):
		v.Refused[id] = "the TPM cannot read it: it is damaged"
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
