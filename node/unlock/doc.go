// Package unlock opens a node's encrypted volume at boot: by the TPM where this boot is
// one that the volume was enrolled for, and otherwise, after it has said on the console
// what differs, by the recovery key.
//
//	Open       the whole of it, for a volume
//	Config     the same as a program: modes, flags, exit codes
//	Console    short lines for a screen of 80 columns
//	Asker      whoever asks a person: askpass, systemd, plymouth, a terminal
//	Evidence   what explains a boot that is refused: the log, what was expected
//
// It runs in an initial ramdisk, before anything is mounted. Nothing that it reads from
// a disk is believed: a token opens because the TPM says so, a volume is the right one
// because of its volume key, and explanations are hints.
package unlock
