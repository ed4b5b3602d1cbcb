// Package cryptsetup changes LUKS2 volumes by running cryptsetup, the program. It
// works on devices and, without device-mapper, on files.
//
// Passphrases go to the program through pipes: never in its arguments, environment,
// or in a file. Every change is read back.
package cryptsetup
