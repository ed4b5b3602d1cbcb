package command

import (
	"github.com/bootseal/bootseal/vtpm/internal/crypt"
	"github.com/bootseal/bootseal/vtpm/internal/engine"
	"github.com/bootseal/bootseal/vtpm/internal/wire"
)

type rsaDecryptIn struct {
	KeyHandle  wire.TPMIDHObject
	CipherText wire.TPM2BPublicKeyRSA
	InScheme   wire.TPMTRSADecrypt `tpm:"+"`
	Label      wire.TPM2BData
}

type rsaDecryptOut struct {
	Message wire.TPM2BPublicKeyRSA
}

// TPM2_RSA_Decrypt, Part 3, 14.3: decrypt a message with an RSA key.
func rsaDecrypt(t *engine.TPM, in *rsaDecryptIn) (*rsaDecryptOut, error) {
	key := t.Objects.At(in.KeyHandle.Handle())
	if key.Public.Type != wire.AlgRSA {
		return nil, wire.RCKey.Handle(1)
	}
	if key.Has(wire.ObjRestricted) || !key.Has(wire.ObjDecrypt) {
		return nil, wire.RCAttributes.Handle(1)
	}
	if !crypt.LabelOK(in.Label) {
		return nil, wire.RCValue.Param(3)
	}
	scheme, ok := selectRSADecrypt(key, in.InScheme)
	if !ok {
		return nil, wire.RCScheme.Param(2)
	}
	private, err := key.Private()
	if err != nil {
		return nil, err
	}
	message, err := crypt.RSADecrypt(&key.Public, private, scheme.Scheme, scheme.HashAlg, in.Label, in.CipherText)
	if err != nil {
		return nil, err
	}
	return &rsaDecryptOut{Message: message}, nil
}
