// Package verify decides whether evidence is authentic: whether a TPM that holds
// a known attestation key made it, for this question, about exactly these PCRs. It
// does not decide whether the values are good ones.
//
// [Quote] trusts nothing in the evidence but what the signature covers, and takes
// no part of the question from the answer: the key, the nonce and the selection of
// PCRs are the verifier's own.
package verify
