package command

import (
	"github.com/bootseal/bootseal/vtpm/internal/crypt"
	"github.com/bootseal/bootseal/vtpm/internal/engine"
	"github.com/bootseal/bootseal/vtpm/internal/wire"
)

type hashIn struct {
	Data      wire.TPM2BMaxBuffer
	HashAlg   wire.TPMIAlgHash
	Hierarchy wire.TPMIRHHierarchy `tpm:"parameter"`
}

type hashOut struct {
	OutHash    wire.TPM2BDigest
	Validation wire.TPMTTKHashCheck
}

// TPM2_Hash, Part 3, 15.4: hash data, and return a ticket with which a restricted
// key signs the digest.
//
// Data that is too short to be an attestation gets a ticket here, other than in a
// sequence, where more may follow.
func hashData(t *engine.TPM, in *hashIn) (*hashOut, error) {
	alg := wire.Alg(in.HashAlg)
	digest := crypt.Digest(alg, in.Data)
	safe := len(in.Data) < 4 || safeToSign(in.Data)
	return &hashOut{OutHash: digest, Validation: hashCheck(t, in.Hierarchy.Handle(), alg, digest, safe)}, nil
}
