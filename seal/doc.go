// Package seal keeps a secret in a TPM 2.0 so that only the boots it was sealed
// for get it back. It works over any [transport.TPM] of go-tpm.
//
//	Parent    the storage key that wraps the secret, pinned by its Name: the SRK, or
//	          a primary key made from a Template each time, as systemd 252 and clevis do
//	Policy    plain data: the boots (PCR values) that open the secret, a key whose owner
//	          signs for more of them (package pcrsig), and a PIN
//	Digest    a policy's digest, computed without a TPM
//	Seal      secret + policy -> Sealed, which is JSON and no secret itself
//	Unseal    Sealed -> secret, or an error that says what differs
//	Reseal    the same secret under another policy: before a kernel upgrade
//	Guard     the part of a policy that retires boots: an NV counter
//	Foreign   what other programs have sealed, and OpenForeign
//
// # The bus is hostile
//
// Somebody who can read and change the traffic between CPU and TPM must not
// learn the secret. Therefore
//
//   - every session that a secret, a PIN or a count depends on is salted: its key
//     comes from a random value encrypted to the parent (Part 1, "Salted Session
//     Key Generation"). Before that the parent's public area is read and its Name,
//     recomputed here, must be the one that was pinned when the secret was sealed;
//   - the secret goes into the TPM and comes out of it encrypted with AES-128-CFB
//     under that session (Part 1, "Session-based encryption"), and both sides
//     prove with an HMAC over fresh nonces that nothing was changed. That HMAC covers
//     the Name of the object, so that TPM2_Load, before it, needs no session.
//
// Sessions are not bound. Binding would mix the bound object's authValue into
// the session key; the storage root key's is empty, and a PIN's authValue is part
// of the HMAC and encryption keys already, because the policy demands it with
// TPM2_PolicyAuthValue.
//
// The one moment of trust is the first use, when the parent's Name is not known
// yet: [EnsureSRK] believes the TPM that answers.
//
// # What stays in memory
//
// Session keys, authorization values and decrypted responses are zeroed after
// use. Buffers inside go-tpm's codec are out of reach, and the string that
// PBKDF2 needs is, too: processes that hold secrets should not dump core.
package seal
