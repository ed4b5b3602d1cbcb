// Package enroll puts a volume's key into a TPM, and takes it out again.
//
//	Check      what stands in the way, from the header alone
//	Add        a recovery key, a keyslot for the TPM, a token for each boot; all or nothing
//	Recover    cleans up after an Add that was cut off
//	Remove     takes back what Add did
//
// Nothing that was there before Add is touched by it. What it is about to add stands in
// a journal before it is added, so that whatever happens in between, a later run finds
// what is an orphan: by content, since other programs number tokens and keyslots, too.
package enroll
