// Package wire is Part 2 of the TPM 2.0 Library Specification in Go: the
// constants, the structures and how each of them reads and writes itself.
//
// Names follow the specification without its underscores: TPM2B_PUBLIC is
// TPM2BPublic, TPM_RC_VALUE is RCValue, TPM_ALG_SHA256 is AlgSHA256. Files
// follow the prefixes: tpma.go has the attribute structures, tpm2b.go the
// sized buffers, and so on.
//
// The package is the engine's own codec. It is deliberately not shared with
// clients, which use github.com/google/go-tpm/tpm2, so that the engine is
// never its own oracle.
package wire
