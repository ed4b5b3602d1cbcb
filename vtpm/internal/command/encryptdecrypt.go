package command

import (
	"github.com/bootseal/bootseal/vtpm/internal/engine"
	"github.com/bootseal/bootseal/vtpm/internal/wire"
)

type encryptDecryptIn struct {
	KeyHandle wire.TPMIDHObject
	Decrypt   wire.TPMIYesNo
	Mode      wire.TPMIAlgCipherMode `tpm:"+"`
	IVIn      wire.TPM2BIV
	InData    wire.TPM2BMaxBuffer
}

type encryptDecryptOut struct {
	OutData wire.TPM2BMaxBuffer
	IVOut   wire.TPM2BIV
}

// TPM2_EncryptDecrypt, Part 3, 15.2: encrypt or decrypt data with a symmetric
// cipher key. What is to be encrypted is not the first parameter, so that no session
// protects it: TPM2_EncryptDecrypt2 is the better one.
func encryptDecrypt(t *engine.TPM, in *encryptDecryptIn) (*encryptDecryptOut, error) {
	e := symmetricEncryption{
		key: in.KeyHandle.Handle(), decrypt: bool(in.Decrypt), mode: wire.Alg(in.Mode), iv: in.IVIn, data: in.InData,
		atMode: 2, atIV: 3, atData: 4,
	}
	data, iv, err := e.run(t)
	if err != nil {
		return nil, err
	}
	return &encryptDecryptOut{OutData: data, IVOut: iv}, nil
}
