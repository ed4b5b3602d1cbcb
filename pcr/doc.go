// Package pcr is the vocabulary of platform configuration registers: banks,
// selections, values, and the one operation that changes a register.
//
//	Bank           a hash algorithm with registers of its own: SHA1 ... SHA512
//	Selection      a set of register numbers: "4,7-9"
//	BankSelection  a selection in one bank, as PolicyPCR and Quote take it
//	Digest         bytes that print as hex
//	Values         register contents by bank and number
//
//	Extend         new = H(old || digest)
//	Reset          what a register holds before anything was measured
//	Composite      the digest that PolicyPCR and Quote make of a selection
//	ParseValues    reads lines "ALG INDEX HEX"
//
// The numbers and rules come from the TCG PC Client Platform TPM Profile (PTP)
// for TPM 2.0, section "PCR Attributes", and from the TPM 2.0 Library
// Specification, Part 1, "PCR Operations".
package pcr
