package command

import (
	"github.com/bootseal/bootseal/vtpm/internal/crypt"
	"github.com/bootseal/bootseal/vtpm/internal/engine"
	"github.com/bootseal/bootseal/vtpm/internal/wire"
)

type eccEncryptIn struct {
	KeyHandle wire.TPMIDHObject
	PlainText wire.TPM2BMaxBuffer
	InScheme  wire.TPMTKDFScheme `tpm:"+"`
}

type eccEncryptOut struct {
	C1 wire.TPM2BECCPoint
	C2 wire.TPM2BMaxBuffer
	C3 wire.TPM2BDigest
}

// TPM2_ECC_Encrypt, Part 3, 14.8: encrypt data to an ECC key.
func eccEncrypt(t *engine.TPM, in *eccEncryptIn) (*eccEncryptOut, error) {
	key := t.Objects.At(in.KeyHandle.Handle())
	if key.Public.Type != wire.AlgECC {
		return nil, wire.RCKey.Handle(1)
	}
	if err := checkECCScheme(in.InScheme, 2); err != nil {
		return nil, err
	}
	// A public point that was never checked, since the key has no nameAlg.
	if !crypt.OnCurve(key.Public.Parameters.ECC.CurveID, &key.Public.Unique.ECC) {
		return nil, wire.RCNoResult
	}
	c1, c2, c3, err := crypt.ECCEncrypt(t.Entropy(), &key.Public, in.InScheme.HashAlg, in.PlainText)
	if err != nil {
		return nil, err
	}
	return &eccEncryptOut{C1: wire.TPM2BECCPoint{Point: c1}, C2: c2, C3: c3}, nil
}
