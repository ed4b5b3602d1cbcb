// Package vtpm is a TPM 2.0 in memory-safe Go: a state machine that answers
// command buffers with response buffers, as the TPM 2.0 Library Specification
// says, response code for response code.
//
//	t, err := vtpm.New(vtpm.Options{})
//	response := t.Execute(0, command)
//
// A TPM starts as after _TPM_Init: it waits for TPM2_Startup. What must survive a
// power cut is in its Store before the response that promises it is returned.
//
// Its commands, algorithms and limits are those of a Profile (profile.go).
//
// The package is the pipeline that every command goes through: header
// (execute.go), handles, authorization (sessions.go, authorize.go, policy.go),
// parameter encryption (paramcrypt.go), audit (audit.go) and response
// (response.go). The commands are in internal/command, a file each; the state
// is in internal/engine.
package vtpm
