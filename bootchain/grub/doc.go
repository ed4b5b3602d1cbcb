// Package grub runs GRUB's configuration as GRUB 2.02 to 2.14 would, as far as
// what it measures goes, and yields what ends up in PCRs 8 and 9, in order.
//
// A script is text in GRUB's shell-like language. GRUB measures each command
// that it runs into PCR 8, after expansion, and each file that it opens into
// PCR 9. Which commands run depends on what the machine has (files, file
// systems, the environment block) and on what nobody knows beforehand (a key
// that is pressed, a boot that failed). [Run] therefore returns several
// outcomes, the likeliest first, each with what sets it apart; what cannot be
// known it says, with the PCRs that are affected from there on.
//
// The package does no I/O: a [World] answers what GRUB would read. [Image]
// describes the GRUB binary, and [ReadImage] reads that from the binary.
//
// The language, in the order of the files: lexer.go and parser.go turn text
// into commands, expand.go turns words into arguments, exec.go runs commands,
// menu.go shows menus. A command is a function in a file named cmd_*.go, with a row in
// commands.go; docs/grub.md is the list for users.
package grub
