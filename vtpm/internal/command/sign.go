package command

import (
	"github.com/bootseal/bootseal/vtpm/internal/crypt"
	"github.com/bootseal/bootseal/vtpm/internal/engine"
	"github.com/bootseal/bootseal/vtpm/internal/wire"
)

type signIn struct {
	KeyHandle  wire.TPMIDHObject
	Digest     wire.TPM2BDigest
	InScheme   wire.TPMTSigScheme `tpm:"+"`
	Validation wire.TPMTTKHashCheck
}

type signOut struct {
	Signature wire.TPMTSignature
}

// TPM2_Sign, Part 3, 20.2: sign a digest. A restricted key signs only what this
// TPM has hashed and found to be no attestation, which the ticket shows.
func sign(t *engine.TPM, in *signIn) (*signOut, error) {
	key := t.Objects.At(in.KeyHandle.Handle())
	if !canSign(key) {
		return nil, wire.RCKey.Handle(1)
	}
	if key.Has(wire.ObjX509Sign) {
		return nil, wire.RCAttributes.Handle(1)
	}
	scheme, ok := selectSignScheme(key, in.InScheme)
	if !ok {
		return nil, wire.RCScheme.Param(2)
	}
	if key.Has(wire.ObjRestricted) || len(in.Validation.Digest) != 0 {
		if !isHashCheck(t, &in.Validation, scheme.HashAlg, in.Digest) {
			return nil, wire.RCTicket.Param(3)
		}
	} else if len(in.Digest) != crypt.Size(scheme.HashAlg) {
		return nil, wire.RCSize.Param(1)
	}
	signature, err := t.Sign(key, scheme, in.Digest)
	if err != nil {
		return nil, err
	}
	return &signOut{Signature: signature}, nil
}
