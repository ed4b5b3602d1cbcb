package crypt

import (
	"crypto"
	"crypto/hmac"
	"crypto/sha1"
	"crypto/sha256"
	_ "crypto/sha3" // crypto.Hash finds an implementation only if its package is linked in
	"crypto/sha512"
	"hash"

	"github.com/bootseal/bootseal/vtpm/internal/wire"
)

// cryptoHash returns the standard library's number of a, or 0 if a is not a
// hash algorithm of this package.
func cryptoHash(a wire.Alg) crypto.Hash {
	switch a {
	case wire.AlgSHA1:
		return crypto.SHA1
	case wire.AlgSHA256:
		return crypto.SHA256
	case wire.AlgSHA384:
		return crypto.SHA384
	case wire.AlgSHA512:
		return crypto.SHA512
	case wire.AlgSHA3256:
		return crypto.SHA3_256
	case wire.AlgSHA3384:
		return crypto.SHA3_384
	case wire.AlgSHA3512:
		return crypto.SHA3_512
	default:
		return 0
	}
}

// New returns a hash of algorithm a, or nil if a is not a hash algorithm.
func New(a wire.Alg) hash.Hash {
	if h := cryptoHash(a); h != 0 {
		return h.New()
	}
	return nil
}

// Size returns the bytes in a digest of a, or 0 if a is not a hash algorithm.
// TPM_ALG_NULL has size 0, as the specification has it.
func Size(a wire.Alg) int {
	if h := cryptoHash(a); h != 0 {
		return h.Size()
	}
	return 0
}

// BlockSize returns the bytes in an input block of a, which bound the length of
// an HMAC key, or 0 if a is not a hash algorithm.
func BlockSize(a wire.Alg) int {
	if h := New(a); h != nil {
		return h.BlockSize()
	}
	return 0
}

// Digest returns the digest of parts, one after another, or nil if a is not a
// hash algorithm.
func Digest(a wire.Alg, parts ...[]byte) []byte {
	total := 0
	for _, p := range parts {
		total += len(p)
	}
	if total <= shortInput {
		if d := shortDigest(a, parts); d != nil {
			return d
		}
	}
	h := New(a)
	if h == nil {
		return nil
	}
	return sum(h, parts)
}

// shortInput is how much is hashed without a state on the heap: an extend, a Name, a
// step of a policy.
const shortInput = 256

// shortDigest is Digest for parts of shortInput bytes at most and the algorithms that PCR
// banks have; nil for others.
func shortDigest(a wire.Alg, parts [][]byte) []byte {
	var input [shortInput]byte
	n := 0
	for _, p := range parts {
		n += copy(input[n:], p)
	}
	defer clear(input[:n])
	switch a {
	case wire.AlgSHA1:
		d := sha1.Sum(input[:n])
		return append([]byte(nil), d[:]...)
	case wire.AlgSHA256:
		d := sha256.Sum256(input[:n])
		return append([]byte(nil), d[:]...)
	case wire.AlgSHA384:
		d := sha512.Sum384(input[:n])
		return append([]byte(nil), d[:]...)
	case wire.AlgSHA512:
		d := sha512.Sum512(input[:n])
		return append([]byte(nil), d[:]...)
	}
	return nil
}

// NewHMAC returns an HMAC (FIPS 198-1) with hash algorithm a, or nil if a is not
// a hash algorithm. It keeps no reference to key.
func NewHMAC(a wire.Alg, key []byte) hash.Hash {
	h := cryptoHash(a)
	if h == 0 {
		return nil
	}
	return hmac.New(h.New, key)
}

// HMAC returns the HMAC of parts, one after another, or nil if a is not a hash
// algorithm.
func HMAC(a wire.Alg, key []byte, parts ...[]byte) []byte {
	h := NewHMAC(a, key)
	if h == nil {
		return nil
	}
	return sum(h, parts)
}

func sum(h hash.Hash, parts [][]byte) []byte {
	for _, p := range parts {
		h.Write(p)
	}
	return h.Sum(nil)
}
