package command

import (
	"github.com/bootseal/bootseal/vtpm/internal/crypt"
	"github.com/bootseal/bootseal/vtpm/internal/engine"
	"github.com/bootseal/bootseal/vtpm/internal/wire"
)

// The two wrappers of a duplicate (Part 1, "Duplication").

const labelDuplicate = "DUPLICATE"

// innerWrap returns the wrapper with the caller's key; none for TPM_ALG_NULL.
func innerWrap(sym wire.TPMTSymDefObject, key []byte) crypt.InnerWrap {
	return crypt.InnerWrap{Sym: sym.Algorithm, KeyBits: sym.KeyBits, Key: key}
}

// outerWrap makes the wrapper for a new parent, and the secret that tells the new
// parent how to take it off; none for nil, TPM_RH_NULL. The errors are those of
// crypt.EncryptSecret.
func outerWrap(t *engine.TPM, newParent *engine.Object) (crypt.Protection, wire.TPM2BEncryptedSecret, error) {
	if newParent == nil {
		return crypt.Protection{}, nil, nil
	}
	seed, secret, err := crypt.EncryptSecret(t.Entropy(), &newParent.Public, labelDuplicate)
	if err != nil {
		return crypt.Protection{}, nil, err
	}
	return crypt.NewProtection(&newParent.Public, seed), secret, nil
}

// openOuterWrap returns the wrapper that was made for the parent, which is an
// asymmetric storage key. The errors are those of crypt.DecryptSecret.
func openOuterWrap(parent *engine.Object, secret wire.TPM2BEncryptedSecret) (crypt.Protection, error) {
	private, err := parent.Private()
	if err != nil {
		return crypt.Protection{}, err
	}
	seed, err := crypt.DecryptSecret(&parent.Public, private, labelDuplicate, secret)
	if err != nil {
		return crypt.Protection{}, err
	}
	return crypt.NewProtection(&parent.Public, seed), nil
}
