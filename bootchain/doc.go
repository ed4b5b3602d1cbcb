// Package bootchain knows what each stage of a boot measures and what it starts
// next. Given what is known of a machine, its files above all, it plays the boot
// and says which events will be logged.
//
//	Machine.Paths      every way that the next boot may take, with its events
//	Measure, Manifest  the files of a boot: digests, signers, sections, scripts
//	Recognize, Boot    the programs of a boot, from its log
//
// A file for each stage: firmware.go, shim.go (with sbat.go), grub.go, sdboot.go
// (with bls.go), stub.go (with beside.go), kernel.go. A stage is a method of the
// walk that plays the boot: it adds its events, and starts the next program,
// which is told by what is in its file. Where a boot can go on in several ways,
// the walk is copied.
//
// What a stage measures follows from files, variables and the partition table, or
// else is copied from the log at hand, which alone knows the firmware. What
// neither can tell is [Unknown], with the reason: nothing is guessed, because a
// key that is sealed to a wrong guess is lost at the next boot.
//
// The models are held against the log, too: played with the files of the last
// boot they must lead to its events, and without these files, every difference
// must come from something that is new (proof.go).
//
// Everything but Measure is a pure function of its input.
package bootchain
