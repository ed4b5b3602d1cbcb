package command

import (
	"github.com/bootseal/bootseal/vtpm/internal/engine"
	"github.com/bootseal/bootseal/vtpm/internal/wire"
)

type encryptDecrypt2In struct {
	KeyHandle wire.TPMIDHObject
	InData    wire.TPM2BMaxBuffer
	Decrypt   wire.TPMIYesNo
	Mode      wire.TPMIAlgCipherMode `tpm:"+"`
	IVIn      wire.TPM2BIV
}

type encryptDecrypt2Out struct {
	OutData wire.TPM2BMaxBuffer
	IVOut   wire.TPM2BIV
}

// TPM2_EncryptDecrypt2, Part 3, 15.3: encrypt or decrypt data with a symmetric
// cipher key.
func encryptDecrypt2(t *engine.TPM, in *encryptDecrypt2In) (*encryptDecrypt2Out, error) {
	e := symmetricEncryption{
		key: in.KeyHandle.Handle(), decrypt: bool(in.Decrypt), mode: wire.Alg(in.Mode), iv: in.IVIn, data: in.InData,
		atMode: 3, atIV: 4, atData: 1,
	}
	data, iv, err := e.run(t)
	if err != nil {
		return nil, err
	}
	return &encryptDecrypt2Out{OutData: data, IVOut: iv}, nil
}
