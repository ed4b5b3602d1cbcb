// Package bootchain knows what each stage of a boot measures and what it starts
// next. Given the event log of one boot and the files of the next, it says
// which events the next boot will log.
//
//	Measure, Manifest  the files of a boot: digests, signers, text of scripts
//	Recognize, Boot    the programs of a boot, from its log
//	Boot.Follow        the events of the next boot, each with reason and confidence
//
// A file for each stage: firmware.go, shim.go, grub.go, kernel.go. What a stage
// measures follows from the files, or else is copied from the log at hand, which
// alone knows the machine. What neither can tell is [Unknown], with the reason:
// nothing is guessed, because a key that is sealed to a wrong guess is lost at
// the next boot.
//
// GRUB's commands are computed by running its scripts. The scripts of the boot
// in the log are run first, and what comes out must be the events of the log,
// all of them, in all banks. Only a model that passes this is run on the new
// scripts.
//
// Everything is a pure function of its input.
package bootchain
