package command

import (
	"crypto/subtle"
	"encoding/binary"

	"github.com/bootseal/bootseal/vtpm/internal/crypt"
	"github.com/bootseal/bootseal/vtpm/internal/engine"
	"github.com/bootseal/bootseal/vtpm/internal/wire"
)

// What the commands that sign have in common (Part 1, "Signing"): which keys can
// sign, with which scheme, and what a restricted key must not sign.

// canSign reports whether the object signs digests. A symmetric cipher key with
// sign encrypts, or makes a MAC; a sequence has no attributes.
func canSign(o *engine.Object) bool {
	return o.Has(wire.ObjSign) && o.Public.Type != wire.AlgSymCipher
}

// selectSignScheme returns the scheme to sign with: the key's own where it has
// one, which the command may repeat, else the command's. It reports false where
// neither or both differently are given, or the scheme is not for this type of
// key.
func selectSignScheme(key *engine.Object, in wire.TPMTSigScheme) (wire.TPMTSigScheme, bool) {
	own := signSchemeOf(&key.Public)
	switch {
	case own.Scheme == wire.AlgNull:
	case in.Scheme == wire.AlgNull:
		// A split scheme needs the counter of its first half from the caller.
		if own.Scheme == wire.AlgECDAA {
			return in, false
		}
		in = own
	case own.Scheme != in.Scheme || own.HashAlg != in.HashAlg:
		return in, false
	}
	if key.Public.Type == wire.AlgKeyedHash {
		return in, in.Scheme == wire.AlgHMAC
	}
	return in, isSignScheme(key.Public.Type, in.Scheme)
}

// signSchemeOf returns the scheme that a key was made for.
func signSchemeOf(pub *wire.TPMTPublic) wire.TPMTSigScheme {
	switch pub.Type {
	case wire.AlgRSA:
		return wire.TPMTSigScheme(pub.Parameters.RSA.Scheme)
	case wire.AlgECC:
		return wire.TPMTSigScheme(pub.Parameters.ECC.Scheme)
	}
	s := &pub.Parameters.KeyedHash.Scheme
	return wire.TPMTSigScheme{Scheme: s.Scheme, HashAlg: s.HashAlg}
}

// isAnonymous reports whether signatures of the scheme do not tell which key
// made them, so that nothing beside them may tell either.
func isAnonymous(scheme wire.Alg) bool { return scheme == wire.AlgECDAA }

// safeToSign reports whether data is long enough to see that it does not start as
// what the TPM says about itself, and does not.
func safeToSign(data []byte) bool {
	return len(data) >= 4 && binary.BigEndian.Uint32(data) != wire.GeneratedValue
}

// hashCheck returns the ticket with which a restricted key signs the digest, or
// the null ticket where the hierarchy is TPM_RH_NULL or the data is not safe.
func hashCheck(t *engine.TPM, hierarchy wire.Handle, alg wire.Alg, digest []byte, safe bool) wire.TPMTTKHashCheck {
	if hierarchy == wire.HandleNull || !safe {
		return wire.TPMTTKHashCheck{Tag: wire.STHashCheck, Hierarchy: wire.HandleNull}
	}
	return crypt.TicketHashCheck(t.Proof(hierarchy), hierarchy, alg, digest)
}

// isHashCheck reports whether the ticket is this TPM's for the digest by alg.
func isHashCheck(t *engine.TPM, ticket *wire.TPMTTKHashCheck, alg wire.Alg, digest []byte) bool {
	want := crypt.TicketHashCheck(t.Proof(ticket.Hierarchy), ticket.Hierarchy, alg, digest)
	return subtle.ConstantTimeCompare(ticket.Digest, want.Digest) == 1
}
