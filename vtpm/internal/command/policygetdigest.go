package command

import (
	"github.com/bootseal/bootseal/vtpm/internal/engine"
	"github.com/bootseal/bootseal/vtpm/internal/wire"
)

type policyGetDigestIn struct {
	PolicySession wire.TPMISHPolicy
}

type policyGetDigestOut struct {
	PolicyDigest wire.TPM2BDigest
}

// TPM2_PolicyGetDigest, Part 3, 23.19: return a session's policyDigest.
func policyGetDigest(t *engine.TPM, in *policyGetDigestIn) (*policyGetDigestOut, error) {
	return &policyGetDigestOut{PolicyDigest: policySession(t, in.PolicySession).Policy.Digest}, nil
}
