// Package plan decides what a volume's TPM tokens should be, and does nothing about it.
//
//	Choose     the PCRs to seal to, by what boots the machine, each with its reason
//	Keep       the PCRs that were chosen before
//	Boots      a prediction's ways to boot as PCR values that a token can be sealed to
//	Running    the values that the running boot had when it opened the volume
//	Reseal     which tokens to add, keep and drop, so that as many boots as the header
//	           has room for open the volume, the likeliest first
//
// All is plain data, and the same input gives the same plan.
package plan
