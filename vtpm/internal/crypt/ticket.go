package crypt

import (
	"github.com/bootseal/bootseal/vtpm/internal/wire"
)

// TicketHash is the hash algorithm of every ticket: the one that the size of a
// proof is made for. A ticket is opaque outside of the TPM that made it.
const TicketHash = wire.AlgSHA512

// TicketCreation returns the ticket that an object with this Name was created
// with this creation data, of which hash is the digest (Part 2,
// "TPMT_TK_CREATION").
func TicketCreation(proof []byte, hierarchy wire.Handle, name, hash []byte) wire.TPMTTKCreation {
	return wire.TPMTTKCreation{
		Tag:       wire.STCreation,
		Hierarchy: hierarchy,
		Digest:    ticketHMAC(proof, wire.STCreation, name, hash),
	}
}

// TicketVerified returns the ticket that a signature over digest by the key with
// keyName was found valid (Part 2, "TPMT_TK_VERIFIED").
func TicketVerified(proof []byte, hierarchy wire.Handle, digest, keyName []byte) wire.TPMTTKVerified {
	return wire.TPMTTKVerified{
		Tag:       wire.STVerified,
		Hierarchy: hierarchy,
		Digest:    ticketHMAC(proof, wire.STVerified, digest, keyName),
	}
}

// TicketHashCheck returns the ticket that digest, by hashAlg, is of data that
// does not start with TPM_GENERATED_VALUE (Part 2, "TPMT_TK_HASHCHECK").
func TicketHashCheck(proof []byte, hierarchy wire.Handle, hashAlg wire.Alg, digest []byte) wire.TPMTTKHashCheck {
	var alg wire.Writer
	alg.U16(uint16(hashAlg))
	return wire.TPMTTKHashCheck{
		Tag:       wire.STHashCheck,
		Hierarchy: hierarchy,
		Digest:    ticketHMAC(proof, wire.STHashCheck, alg.Data(), digest),
	}
}

// Authorization is what a TPMT_TK_AUTH vouches for: an authorization given in
// TPM2_PolicySigned or TPM2_PolicySecret.
type Authorization struct {
	CPHash     []byte // cpHashA, or empty
	PolicyRef  []byte
	EntityName []byte // who gave the authorization

	// Timeout is when it ends, in milliseconds of the TPM's time; 0 is never. Only
	// with a Timeout do the fields below count: Epoch identifies the stretch of
	// time that Timeout belongs to, and TotalResetCount enters when the ticket
	// ExpiresOnReset.
	Timeout         uint64
	Epoch           uint32
	ExpiresOnReset  bool
	TotalResetCount uint64
}

// TicketAuth returns the ticket for a, with tag TPM_ST_AUTH_SIGNED or
// TPM_ST_AUTH_SECRET (Part 2, "TPMT_TK_AUTH").
func TicketAuth(proof []byte, tag wire.ST, hierarchy wire.Handle, a *Authorization) wire.TPMTTKAuth {
	var expiry wire.Writer
	expiry.U64(a.Timeout)
	if a.Timeout != 0 {
		expiry.U32(a.Epoch)
		if a.ExpiresOnReset {
			expiry.U64(a.TotalResetCount)
		}
	}
	return wire.TPMTTKAuth{
		Tag:       tag,
		Hierarchy: hierarchy,
		Digest:    ticketHMAC(proof, tag, a.CPHash, a.PolicyRef, a.EntityName, expiry.Data()),
	}
}

// ticketHMAC keys an HMAC with the hierarchy's proof, which only this TPM knows.
// Tags keep the kinds of tickets apart.
func ticketHMAC(proof []byte, tag wire.ST, parts ...[]byte) []byte {
	h := NewHMAC(TicketHash, proof)
	var w wire.Writer
	w.U16(uint16(tag))
	h.Write(w.Data())
	return sum(h, parts)
}
