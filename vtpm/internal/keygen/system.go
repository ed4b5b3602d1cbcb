package keygen

import (
	"crypto/rand"
	"errors"
	"math/bits"
	"sync"

	"github.com/bootseal/bootseal/vtpm/internal/wire"
)

// System is the operating system's entropy, crypto/rand.Reader, as a Stream. RSA keys
// need not be reproduced from it.
type System struct {
	// Primes has primes that are ready; nil makes each when it is wanted.
	Primes *Pool
}

// Read fills p.
func (System) Read(p []byte) (int, error) { return rand.Read(p) }

// rsa is RSA for a size and an exponent that are checked. The primes are searched at the
// same time.
func (s System) rsa(size int, exponent uint32) (prime, modulus []byte, err error) {
	for range maxPrimes {
		var first, second nat
		var firstErr, secondErr error
		var wg sync.WaitGroup
		wg.Go(func() { first, firstErr = s.prime(size/2, exponent) })
		second, secondErr = s.prime(size/2, exponent)
		wg.Wait()
		if err := errors.Join(firstErr, secondErr); err != nil {
			return nil, nil, err
		}
		// FIPS 186-5, A.1.3: as far apart as random numbers nearly always are.
		if !second.closer(first, size/2-minPrimeGap) {
			prime, modulus = second.bytes(), first.times(second).bytes()
		}
		clear(first)
		clear(second)
		if prime != nil {
			return prime, modulus, nil
		}
	}
	return nil, nil, wire.RCNoResult
}

// prime returns one from the pool, or makes it.
func (s System) prime(size int, exponent uint32) (nat, error) {
	if s.Primes != nil {
		if p := s.Primes.take(size); p != nil {
			if fits(p, exponent) {
				return p, nil
			}
			clear(p)
		}
	}
	return randomPrime(size, exponent, func() {})
}

// fits reports whether the exponent, which is prime, has an inverse modulo p-1, and is
// not p.
func fits(p nat, exponent uint32) bool {
	r := p.mod(uint64(exponent))
	return r != 0 && r != 1
}

// siftTakes is how far from a start primes are looked for, in units of 64 odd numbers:
// one start in 100,000 has none there.
const siftTakes = 64

// randomPrime returns a random prime p of so many bits with the two upper ones set, so
// that a product of two has all its bits; fits holds for it. It calls pause between
// tests, each of which takes about half a millisecond for 1,024 bits.
//
// The prime is the first one behind a random number: the step to it costs little less
// than one bit of its entropy (Brandt and Damgård, "On Generation of Probable Primes by
// Incremental Search", CRYPTO '92). The rounds are those of FIPS 186-5, table B.1.
func randomPrime(size int, exponent uint32, pause func()) (nat, error) {
	buf := make([]byte, size/8)
	defer clear(buf)
	for {
		rand.Read(buf)
		buf[0] |= 0xC0
		buf[len(buf)-1] |= 1
		start := newNat(buf)
		p, err := primeBehind(start, exponent, pause)
		clear(start)
		if p != nil || err != nil {
			return p, err
		}
	}
}

// primeBehind returns the first prime from start on, nil if there is none near.
func primeBehind(start nat, exponent uint32, pause func()) (nat, error) {
	s := newSift(start)
	defer s.clear()
	for take := range uint64(siftTakes) {
		for left := s.take(); left != 0; left &= left - 1 {
			p := start.plus(2 * (64*take + uint64(bits.TrailingZeros64(left))))
			if p[len(p)-1]>>63 == 0 {
				return nil, nil // over the top
			}
			if fits(p, exponent) {
				pause()
				ok, err := millerRabin(rand.Reader, p)
				if ok || err != nil {
					return p, err
				}
			}
			clear(p)
		}
	}
	return nil, nil
}
