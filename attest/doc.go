// Package attest makes evidence of a machine's boot: a quote, which is a TPM's
// signed statement of what its PCRs hold, with all that is needed to check it.
//
//	CreateAK   an attestation key, which signs nothing but such statements
//	Quote      evidence for a verifier's nonce
//	Evidence   plain data, JSON
//
// Package verify checks whether evidence is authentic. Nothing here decides
// whether a boot is a good one.
package attest
