package command

import (
	"github.com/bootseal/bootseal/vtpm/internal/crypt"
	"github.com/bootseal/bootseal/vtpm/internal/engine"
	"github.com/bootseal/bootseal/vtpm/internal/wire"
)

type makeCredentialIn struct {
	Handle     wire.TPMIDHObject
	Credential wire.TPM2BDigest
	ObjectName wire.TPM2BName
}

type makeCredentialOut struct {
	CredentialBlob wire.TPM2BIDObject
	Secret         wire.TPM2BEncryptedSecret
}

// TPM2_MakeCredential, Part 3, 12.6: do what an issuer of credentials does to prove
// that two keys are in one TPM. It uses public areas alone.
func makeCredential(t *engine.TPM, in *makeCredentialIn) (*makeCredentialOut, error) {
	o := t.Objects.At(in.Handle.Handle())
	if !isStorageKey(&o.Public) {
		return nil, wire.RCType.Handle(1)
	}
	if len(in.Credential) > crypt.Size(o.Public.NameAlg) {
		return nil, wire.RCSize.Param(1)
	}
	seed, secret, err := crypt.EncryptSecret(t.Entropy(), &o.Public, "IDENTITY")
	if err != nil {
		return nil, err
	}
	defer clear(seed)
	blob, err := crypt.SecretToCredential(crypt.NewProtection(&o.Public, seed), in.ObjectName, in.Credential)
	if err != nil {
		return nil, err
	}
	return &makeCredentialOut{CredentialBlob: blob, Secret: secret}, nil
}
