package command

import (
	"crypto/subtle"
	"encoding/binary"

	"github.com/bootseal/bootseal/vtpm/internal/engine"
	"github.com/bootseal/bootseal/vtpm/internal/wire"
)

type policyTicketIn struct {
	PolicySession wire.TPMISHPolicy
	Timeout       wire.TPM2BTimeout
	CPHashA       wire.TPM2BDigest
	PolicyRef     wire.TPM2BNonce
	AuthName      wire.TPM2BName
	Ticket        wire.TPMTTKAuth
}

// TPM2_PolicyTicket, Part 3, 23.5: repeat an authorization that TPM2_PolicySigned
// or TPM2_PolicySecret gave a ticket for.
//
// A trial session authorizes nothing, and so cannot repeat an authorization: it
// takes the command that the ticket stands for.
func policyTicket(t *engine.TPM, in *policyTicketIn) error {
	s := policySession(t, in.PolicySession)
	if s.IsTrial() {
		return wire.RCAttributes.Handle(1)
	}
	if len(in.Timeout) != 8 {
		return wire.RCSize.Param(1)
	}
	timeout := binary.BigEndian.Uint64(in.Timeout)
	a := approval{timeout: timeout &^ expiresOnReset, cpHash: in.CPHashA, policyRef: in.PolicyRef, name: in.AuthName}
	if err := a.check(t, s, nil, 1); err != nil {
		return err
	}
	_, want := a.ticket(t, in.Ticket.Tag, in.Ticket.Hierarchy, timeout&expiresOnReset != 0)
	if subtle.ConstantTimeCompare(in.Ticket.Digest, want.Digest) != 1 {
		return wire.RCTicket.Param(5)
	}
	cc := wire.CCPolicySecret
	if in.Ticket.Tag == wire.STAuthSigned {
		cc = wire.CCPolicySigned
	}
	a.record(s, cc)
	return nil
}
