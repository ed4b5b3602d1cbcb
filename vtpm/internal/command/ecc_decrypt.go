package command

import (
	"github.com/bootseal/bootseal/vtpm/internal/crypt"
	"github.com/bootseal/bootseal/vtpm/internal/engine"
	"github.com/bootseal/bootseal/vtpm/internal/wire"
)

type eccDecryptIn struct {
	KeyHandle wire.TPMIDHObject
	C1        wire.TPM2BECCPoint
	C2        wire.TPM2BMaxBuffer
	C3        wire.TPM2BDigest
	InScheme  wire.TPMTKDFScheme `tpm:"+"`
}

type eccDecryptOut struct {
	PlainText wire.TPM2BMaxBuffer
}

// TPM2_ECC_Decrypt, Part 3, 14.9: decrypt data with an ECC key.
func eccDecrypt(t *engine.TPM, in *eccDecryptIn) (*eccDecryptOut, error) {
	key := t.Objects.At(in.KeyHandle.Handle())
	if err := checkECDHKey(key); err != nil {
		return nil, err
	}
	if err := checkECCScheme(in.InScheme, 4); err != nil {
		return nil, err
	}
	if !crypt.OnCurve(key.Public.Parameters.ECC.CurveID, &in.C1.Point) {
		return nil, wire.RCECCPoint.Param(1)
	}
	private, err := key.Private()
	if err != nil {
		return nil, err
	}
	text, err := crypt.ECCDecrypt(&key.Public, private, in.InScheme.HashAlg, &in.C1.Point, in.C2, in.C3)
	if err != nil {
		return nil, err
	}
	return &eccDecryptOut{PlainText: text}, nil
}
