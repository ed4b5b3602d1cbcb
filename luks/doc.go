// Package luks reads the headers of LUKS2 volumes and the tokens in them.
//
// It only reads: what changes a volume is done by cryptsetup, see
// [github.com/bootseal/bootseal/luks/cryptsetup]. Everything here takes hostile
// input: whoever holds the disk can write to it, and nothing in a header is
// authenticated. A token's policy is therefore a hint at what to ask the TPM, no
// more.
//
//	Read             a volume's header: the valid, newest copy of two
//	Metadata         keyslots, tokens, segments, digests, config
//	Room             what still fits
//	ParseToken       a Token: SystemdTPM2, Clevis, Boot, Recovery or Unknown
//	ESYSObject       a key or NV index as tpm2-tss serializes it
//
// The format is described in "LUKS2 On-Disk Format Specification", version 1.1.1, and
// by cryptsetup, lib/luks2/luks2.h.
package luks
