package command

import (
	"bytes"
	"slices"

	"github.com/bootseal/bootseal/vtpm/internal/engine"
	"github.com/bootseal/bootseal/vtpm/internal/wire"
)

type policyORIn struct {
	PolicySession wire.TPMISHPolicy
	PHashList     wire.TPMLDigest
}

// TPM2_PolicyOR, Part 3, 23.6: satisfy one of several policies.
func policyOR(t *engine.TPM, in *policyORIn) error {
	// Part 2, "TPML_DIGEST": "minimum is two for TPM2_PolicyOR()".
	if len(in.PHashList) < 2 {
		return wire.RCSize.Param(1)
	}
	s := policySession(t, in.PolicySession)
	satisfied := func(d wire.TPM2BDigest) bool { return bytes.Equal(d, s.Policy.Digest) }
	if !s.IsTrial() && !slices.ContainsFunc(in.PHashList, satisfied) {
		return wire.RCValue.Param(1)
	}
	resetPolicyDigest(s)
	parts := make([][]byte, len(in.PHashList))
	for i, d := range in.PHashList {
		parts[i] = d
	}
	extendPolicy(s, wire.CCPolicyOR, parts...)
	return nil
}
