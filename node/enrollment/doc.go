// Package enrollment reads what a LUKS2 header says about a TPM, and translates
// between a systemd-tpm2 token and the sealed object of package seal.
//
//	Inspect        a header's tokens, each with what was expected of its boot
//	Key            what a token says of a passphrase that a TPM keeps, whatever its type
//	Key.Policy     its policy for given PCR values, if they are the right ones
//	Key.Approved   whether the owner of a signed policy's key has signed for them
//	Key.Sealed     the sealed object as package seal opens it
//	Fits           which tokens are for given PCR values
//	NewToken       a sealed object as a token
//	ParentFor      the key to seal under, by the systemd that will read the token
//
// Nothing in a header is authenticated: which token opens is worked out from the policy's
// digest, which the TPM holds the sealed object to, and never from what stands beside it.
package enrollment
