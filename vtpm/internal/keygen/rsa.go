package keygen

import (
	"crypto/rand"
	"crypto/rsa"
	"fmt"
	"math/big"

	"filippo.io/bigmod"

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
// With crypto/rand.Reader and exponent 65,537 the key is made by crypto/rsa:
// nothing has to be reproduced then, and its generator is maintained and reviewed
// by many more than this one. Any other stream determines the key completely, by
// the steps of Version.
//
// The error is TPM_RC_RANGE for an exponent that is below 65,537, over 31 bits
// (crypto/rsa could not use the key) or not prime, TPM_RC_VALUE for an unsupported size, or what the stream reports.
func RSA(stream Stream, bits int, exponent uint32) (prime, modulus []byte, err error) {
	if exponent == 0 {
		exponent = defaultExponent
	}
	if exponent < defaultExponent || exponent > maxExponent || !big.NewInt(int64(exponent)).ProbablyPrime(0) {
		return nil, nil, wire.RCRange // ProbablyPrime is exact below 2^64
	}
	if bits <= 0 || bits > maxRSABits || bits%1024 != 0 {
		return nil, nil, wire.RCValue
	}
	if stream == rand.Reader && exponent == defaultExponent {
		return rsaFromSystem(bits)
	}
	return rsaFromStream(stream, bits, exponent)
}

func rsaFromSystem(bits int) (prime, modulus []byte, err error) {
	key, err := rsa.GenerateKey(rand.Reader, bits)
	if err != nil {
		return nil, nil, fmt.Errorf("generate an RSA key of %d bits: %w", bits, err)
	}
	prime = key.Primes[0].FillBytes(make([]byte, bits/16))
	modulus = key.N.FillBytes(make([]byte, bits/8))
	return prime, modulus, nil
}

func rsaFromStream(stream Stream, bits int, exponent uint32) (prime, modulus []byte, err error) {
	search := newPrimeSearch(stream, bits/2, exponent)
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
		prime = second.bytes()
		clear(second)
		modulus, err = product(first.bytes(), prime)
		return prime, modulus, err
	}
	return nil, nil, wire.RCNoResult
}

// product returns a * b, which must have the length of both together, and
// clears a.
func product(a, b []byte) ([]byte, error) {
	defer clear(a)
	n, err := bigmod.NewModulusProduct(a, b)
	if err != nil {
		return nil, err
	}
	return n.Nat().Bytes(n), nil
}
