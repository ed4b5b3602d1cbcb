package command

import (
	"github.com/bootseal/bootseal/vtpm/internal/crypt"
	"github.com/bootseal/bootseal/vtpm/internal/engine"
	"github.com/bootseal/bootseal/vtpm/internal/wire"
)

type rsaEncryptIn struct {
	KeyHandle wire.TPMIDHObject
	Message   wire.TPM2BPublicKeyRSA
	InScheme  wire.TPMTRSADecrypt `tpm:"+"`
	Label     wire.TPM2BData
}

type rsaEncryptOut struct {
	OutData wire.TPM2BPublicKeyRSA
}

// TPM2_RSA_Encrypt, Part 3, 14.2: encrypt a message to an RSA key.
func rsaEncrypt(t *engine.TPM, in *rsaEncryptIn) (*rsaEncryptOut, error) {
	key := t.Objects.At(in.KeyHandle.Handle())
	if key.Public.Type != wire.AlgRSA {
		return nil, wire.RCKey.Handle(1)
	}
	if !key.Has(wire.ObjDecrypt) {
		return nil, wire.RCAttributes.Handle(1)
	}
	if !crypt.LabelOK(in.Label) {
		return nil, wire.RCValue.Param(3)
	}
	scheme, ok := selectRSADecrypt(key, in.InScheme)
	if !ok {
		return nil, wire.RCScheme.Param(2)
	}
	// What the message is too long for, or too large, has no position in the
	// response code.
	data, err := crypt.RSAEncrypt(t.Entropy(), &key.Public, scheme.Scheme, scheme.HashAlg, in.Label, in.Message)
	if err != nil {
		return nil, err
	}
	return &rsaEncryptOut{OutData: data}, nil
}
