// Package engine holds the state of one TPM and the rules that more than one
// command follows: how entities are named and authorized, when the dictionary
// attack logic counts, what a reset forgets and what it keeps.
//
// State is grouped by what resets it (Part 1, "Start-up and shutdown"):
//
//	persistent  survives everything but its own change: seeds, NV, lockout
//	orderly     survives an orderly shutdown: clock, orderly NV data
//	clear       starts afresh at Startup(CLEAR)
//	reset       starts afresh at TPM Reset, kept over Restart and Resume
//	volatile    starts afresh at _TPM_Init: objects, sessions, PCR values
//
// Each subsystem is a file whose type owns its part of the state: pcr.go,
// nv.go, objects.go, sessions.go, hierarchies.go, lockout.go, clock.go.
// Persistent state rests in records (records.go), written through a Store
// before the response that promises them is sent.
//
// Nothing here locks: the caller runs one command at a time.
package engine
