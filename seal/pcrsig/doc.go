// Package pcrsig reads and writes signatures of PCR policies, in the JSON that
// systemd-measure writes and systemd-cryptsetup looks for (systemd-measure(1); systemd,
// src/measure/measure.c):
//
//	{"sha256":[{"pcrs":[11],"pkfp":"HEX","pol":"HEX","sig":"BASE64"}]}
//
// An entry says that the owner of the key approves of certain values of certain PCRs.
// They are not in it: pol is the policy digest that they lead to (a fresh session's after
// TPM2_PolicyPCR), and sig is RSASSA-PKCS1-v1_5 with SHA-256 over its bytes, whatever the
// bank. pkfp is the SHA-256 of the public key in PKCS #1's encoding.
//
// What is read is not trusted: a TPM, and Key.Verify before it, decide about a signature.
package pcrsig
