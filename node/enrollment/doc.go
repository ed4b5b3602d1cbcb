// Package enrollment reads what a LUKS2 header says about a TPM, and translates
// between a systemd-tpm2 token and the sealed object of package seal.
//
//	Inspect        a header's tokens, each with what was expected of its boot
//	Opens          which tokens open for given PCR values
//	Policy         a token's policy for given PCR values, if they are the right ones
//	Sealed         a token as package seal opens it
//	NewToken       a sealed object as a token
//	Key            both types of token that bootseal writes, alike
//	ParentFor      the key to seal under, by the systemd that will read the token
//
// Nothing in a header is authenticated: which
// token opens is worked out from the policy's digest, which the TPM holds the
// sealed object to, and never from what stands beside it.
package enrollment
