package command

import (
	"github.com/bootseal/bootseal/vtpm/internal/crypt"
	"github.com/bootseal/bootseal/vtpm/internal/engine"
	"github.com/bootseal/bootseal/vtpm/internal/wire"
)

type verifySignatureIn struct {
	KeyHandle wire.TPMIDHObject
	Digest    wire.TPM2BDigest
	Signature wire.TPMTSignature
}

type verifySignatureOut struct {
	Validation wire.TPMTTKVerified
}

// TPM2_VerifySignature, Part 3, 20.1: verify a signature, and return a ticket that
// says so, for TPM2_PolicyAuthorize.
func verifySignature(t *engine.TPM, in *verifySignatureIn) (*verifySignatureOut, error) {
	key := t.Objects.At(in.KeyHandle.Handle())
	if !key.Has(wire.ObjSign) {
		return nil, wire.RCAttributes.Handle(1)
	}
	private, err := verifier(key)
	if err != nil {
		return nil, err
	}
	if err := crypt.Verify(&key.Public, private, in.Digest, &in.Signature); err != nil {
		return nil, err.(wire.RC).Param(2)
	}
	ticket := wire.TPMTTKVerified{Tag: wire.STVerified, Hierarchy: wire.HandleNull}
	if key.Hierarchy != wire.HandleNull && key.Public.NameAlg != wire.AlgNull {
		ticket = crypt.TicketVerified(t.Proof(key.Hierarchy), key.Hierarchy, in.Digest, key.Name)
	}
	return &verifySignatureOut{Validation: ticket}, nil
}

// verifier returns the private part of a key that verifies with it, an HMAC key;
// nil where there is none.
func verifier(key *engine.Object) (*crypt.Private, error) {
	if key.Public.Type != wire.AlgKeyedHash || key.PublicOnly {
		return nil, nil
	}
	return key.Private()
}
