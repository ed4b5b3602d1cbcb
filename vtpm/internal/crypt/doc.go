// Package crypt is the cryptography of Part 1 of the TPM 2.0 Library
// Specification over the standard library: hashes and key derivation, the
// symmetric modes, signatures, secret sharing, Names, protected storage and
// tickets.
//
// Its functions hold no state and know no handles. Whoever calls them owns the
// secrets that go in and come out, and clears them after use; what the package
// derives on the way it clears itself. Errors are response codes (wire.RC)
// without a position, unless the function says otherwise: the command knows
// which of its parameters was wrong.
//
// Arithmetic on private values is the standard library's where it exports the
// operation, filippo.io/nistec where a whole point is needed and crypto/ecdh
// would return one coordinate, and filippo.io/bigmod for RSA without padding,
// which crypto/rsa does not export. All three are constant-time. The one
// exception is the derivation of q and d from a loaded prime: see rsakey.go.
package crypt
