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
// operation; filippo.io/nistec's for points of the curves that NIST recommends; for
// points of other curves (weierstrass.go), numbers modulo an order (scalar.go) and RSA
// without padding it is built on filippo.io/bigmod. All of it is constant-time. The
// exceptions are the derivation of q and d from a loaded prime (rsakey.go), and TDES,
// which the standard library has with tables.
package crypt
