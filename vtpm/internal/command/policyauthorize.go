package command

import (
	"bytes"
	"crypto/subtle"
	"encoding/binary"

	"github.com/bootseal/bootseal/vtpm/internal/crypt"
	"github.com/bootseal/bootseal/vtpm/internal/engine"
	"github.com/bootseal/bootseal/vtpm/internal/wire"
)

type policyAuthorizeIn struct {
	PolicySession  wire.TPMISHPolicy
	ApprovedPolicy wire.TPM2BDigest
	PolicyRef      wire.TPM2BNonce
	KeySign        wire.TPM2BName
	CheckTicket    wire.TPMTTKVerified
}

// TPM2_PolicyAuthorize, Part 3, 23.16: let an authority's signature stand for the
// policy that it approved.
func policyAuthorize(t *engine.TPM, in *policyAuthorizeIn) error {
	s := policySession(t, in.PolicySession)
	if len(in.KeySign) < 2 {
		return wire.RCSize.Param(3)
	}
	alg := wire.Alg(binary.BigEndian.Uint16(in.KeySign))
	if crypt.Size(alg) == 0 {
		return wire.RCHash.Param(3)
	}
	if crypt.Size(alg) != len(in.KeySign)-2 {
		return wire.RCSize.Param(3)
	}
	if !s.IsTrial() {
		if !bytes.Equal(in.ApprovedPolicy, s.Policy.Digest) {
			return wire.RCValue.Param(1)
		}
		aHash := crypt.Digest(alg, in.ApprovedPolicy, in.PolicyRef)
		hierarchy := in.CheckTicket.Hierarchy
		want := crypt.TicketVerified(t.Proof(hierarchy), hierarchy, aHash, in.KeySign)
		if subtle.ConstantTimeCompare(in.CheckTicket.Digest, want.Digest) != 1 {
			return wire.RCValue.Param(4)
		}
	}
	resetPolicyDigest(s)
	policyUpdate(s, wire.CCPolicyAuthorize, in.KeySign, in.PolicyRef)
	return nil
}
