package command

import (
	"bytes"
	"encoding/binary"

	"github.com/bootseal/bootseal/vtpm/internal/crypt"
	"github.com/bootseal/bootseal/vtpm/internal/engine"
	"github.com/bootseal/bootseal/vtpm/internal/wire"
)

// approval is what TPM2_PolicySigned, TPM2_PolicySecret and TPM2_PolicyTicket
// have in common: an entity's consent, with its limits (Part 3, "Signed
// authorization actions").
type approval struct {
	timeout   uint64 // the TPM's Time in milliseconds at which it ends; 0: never
	cpHash    []byte // of the only command that it is for; empty: any
	policyRef []byte
	name      []byte // of the entity
}

// expiresOnReset marks a timeout buffer whose ticket ends with a TPM Reset.
const expiresOnReset = 1 << 63

// authTimeout returns the Time in milliseconds at which an authorization ends.
// expiration is in seconds, its sign does not count. With a nonceTPM they count
// from the start of the policy session, without one they are Time itself.
func authTimeout(t *engine.TPM, s *engine.Session, expiration int32, nonceTPM []byte) uint64 {
	if expiration == 0 {
		return 0
	}
	seconds := int64(expiration)
	if seconds < 0 {
		seconds = -seconds
	}
	if len(nonceTPM) == 0 {
		// The fraction of the current second is on top, or it would end too early.
		return uint64(seconds)*1000 + t.Clock.Time%1000
	}
	return s.Policy.StartTime + uint64(seconds)*1000
}

// check validates nonceTPM, parameter 1, the timeout, whose parameter is given,
// and cpHashA, parameter 2.
func (a *approval) check(t *engine.TPM, s *engine.Session, nonceTPM []byte, timeoutParam int) error {
	if len(nonceTPM) != 0 && !bytes.Equal(nonceTPM, s.NonceTPM) {
		return wire.RCNonce.Param(1)
	}
	if a.timeout != 0 && (a.timeout < t.Clock.Time || s.Policy.Epoch != t.Clock.Epoch) {
		return wire.RCExpired.Param(timeoutParam)
	}
	if len(a.cpHash) == 0 {
		return nil
	}
	if len(a.cpHash) != len(s.Policy.Digest) {
		return wire.RCSize.Param(2)
	}
	if s.Policy.RestrictionKind != engine.RestrictNothing && !bytes.Equal(a.cpHash, s.Policy.Restriction) {
		return wire.RCCpHash
	}
	return nil
}

// record makes the approval part of the session.
func (a *approval) record(s *engine.Session, cc wire.CC) {
	policyUpdate(s, cc, a.name, a.policyRef)
	if len(a.cpHash) != 0 {
		restrict(s, engine.RestrictCpHash, a.cpHash)
	}
	if p := &s.Policy; a.timeout != 0 && (p.Timeout == 0 || p.Timeout > a.timeout) {
		p.Timeout = a.timeout
	}
}

// ticket returns the ticket with which TPM2_PolicyTicket repeats the approval,
// and the timeout to give with it.
func (a *approval) ticket(t *engine.TPM, tag wire.ST, hierarchy wire.Handle, untilReset bool) (wire.TPM2BTimeout, wire.TPMTTKAuth) {
	timeout := a.timeout &^ expiresOnReset
	ticket := crypt.TicketAuth(t.Proof(hierarchy), tag, hierarchy, &crypt.Authorization{
		CPHash:          a.cpHash,
		PolicyRef:       a.policyRef,
		EntityName:      a.name,
		Timeout:         timeout,
		Epoch:           t.Clock.Epoch,
		ExpiresOnReset:  untilReset,
		TotalResetCount: t.Clock.TotalResetCount,
	})
	if untilReset {
		timeout |= expiresOnReset
	}
	return binary.BigEndian.AppendUint64(nil, timeout), ticket
}

// nullTicket is the ticket of an approval that cannot be repeated.
func nullTicket(tag wire.ST) wire.TPMTTKAuth {
	return wire.TPMTTKAuth{Tag: tag, Hierarchy: wire.HandleNull}
}
