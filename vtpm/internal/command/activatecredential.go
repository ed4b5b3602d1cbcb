package command

import (
	"github.com/bootseal/bootseal/vtpm/internal/crypt"
	"github.com/bootseal/bootseal/vtpm/internal/engine"
	"github.com/bootseal/bootseal/vtpm/internal/wire"
)

type activateCredentialIn struct {
	ActivateHandle wire.TPMIDHObject
	KeyHandle      wire.TPMIDHObject
	CredentialBlob wire.TPM2BIDObject
	Secret         wire.TPM2BEncryptedSecret
}

type activateCredentialOut struct {
	CertInfo wire.TPM2BDigest
}

// TPM2_ActivateCredential, Part 3, 12.5: return a credential that was made for the
// pair of these two objects.
func activateCredential(t *engine.TPM, in *activateCredentialIn) (*activateCredentialOut, error) {
	object, key := t.Objects.At(in.ActivateHandle.Handle()), t.Objects.At(in.KeyHandle.Handle())
	if !isStorageKey(&key.Public) {
		return nil, wire.RCType.Handle(2)
	}
	private, err := key.Private()
	if err != nil {
		return nil, err
	}
	seed, err := crypt.DecryptSecret(&key.Public, private, "IDENTITY", in.Secret)
	if err != nil {
		return nil, err.(wire.RC).Param(2)
	}
	defer clear(seed)
	info, err := crypt.CredentialToSecret(crypt.NewProtection(&key.Public, seed), object.Name, in.CredentialBlob)
	if err != nil {
		return nil, err.(wire.RC).Param(1)
	}
	return &activateCredentialOut{CertInfo: info}, nil
}
