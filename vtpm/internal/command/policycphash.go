package command

import (
	"bytes"

	"github.com/bootseal/bootseal/vtpm/internal/engine"
	"github.com/bootseal/bootseal/vtpm/internal/wire"
)

type policyCPHashIn struct {
	PolicySession wire.TPMISHPolicy
	CPHashA       wire.TPM2BDigest
}

// TPM2_PolicyCpHash, Part 3, 23.13: limit a policy to one command with one set of
// handles and parameters.
func policyCPHash(t *engine.TPM, in *policyCPHashIn) error {
	s := policySession(t, in.PolicySession)
	if len(in.CPHashA) != len(s.Policy.Digest) {
		return wire.RCSize.Param(1)
	}
	if !restrictable(s, engine.RestrictCpHash, in.CPHashA) {
		return wire.RCCpHash
	}
	extendPolicy(s, wire.CCPolicyCpHash, in.CPHashA)
	restrict(s, engine.RestrictCpHash, in.CPHashA)
	return nil
}

// restrictable reports whether the session has no restriction yet, or this one.
func restrictable(s *engine.Session, kind engine.Restriction, digest []byte) bool {
	p := &s.Policy
	return p.RestrictionKind == engine.RestrictNothing ||
		p.RestrictionKind == kind && bytes.Equal(p.Restriction, digest)
}
