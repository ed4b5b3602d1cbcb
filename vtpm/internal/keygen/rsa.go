package keygen

import (
	"math/big"

	"github.com/bootseal/bootseal/vtpm/internal/wire"
)

const (
	defaultExponent = 65537     // what exponent 0 stands for in TPMS_RSA_PARMS
	maxExponent     = 1<<31 - 1 // what crypto/rsa can use
	maxRSABits      = 4096
	minPrimeGap     = 100 // bits by which the primes differ at least
	maxPrimes       = 99  // searches before giving up, as the reference has it
)

// RSA returns one prime and the modulus of an RSA key, big-endian, bits/16 and
// bits/8 bytes long. Exponent 0 stands for 65,537.
//
// With System nothing has to be reproduced, and the primes are searched in the fastest
// way, or taken from its pool. Any other stream determines the key completely, by the
// steps of Version.
//
// The error is TPM_RC_RANGE for an exponent that is below 65,537, over 31 bits
// (crypto/rsa could not use the key) or not prime, TPM_RC_VALUE for an unsupported size, or what the stream reports.
func RSA(stream Stream, bits int, exponent uint32) (prime, modulus []byte, err error) {
	return makeRSA(stream, Version, bits, exponent)
}

func makeRSA(stream Stream, version uint8, bits int, exponent uint32) (prime, modulus []byte, err error) {
	if exponent == 0 {
		exponent = defaultExponent
	}
	if exponent < defaultExponent || exponent > maxExponent || !big.NewInt(int64(exponent)).ProbablyPrime(0) {
		return nil, nil, wire.RCRange // ProbablyPrime is exact below 2^64
	}
	if bits <= 0 || bits > maxRSABits || bits%1024 != 0 {
		return nil, nil, wire.RCValue
	}
	if s, ok := stream.(System); ok {
		return s.rsa(bits, exponent)
	}
	return rsaFromStream(stream, version, bits, exponent)
}

func rsaFromStream(stream Stream, version uint8, bits int, exponent uint32) (prime, modulus []byte, err error) {
	search := newPrimeSearch(stream, version, bits/2, exponent)
	first, err := search.next()
	if err != nil {
		return nil, nil, err
	}
	defer clear(first)
	for range maxPrimes - 1 {
		second, err := search.next()
		if err != nil {
			return nil, nil, err
		}
		if second.closer(first, minPrimeGap) {
			continue
		}
		defer clear(second)
		return second.bytes(), first.times(second).bytes(), nil
	}
	return nil, nil, wire.RCNoResult
}
