package keygen

import (
	"encoding/binary"
	"fmt"
	"io"
	"slices"

	"filippo.io/bigmod"
)

// primeSearch finds RSA primes of one size for one public exponent.
type primeSearch struct {
	rand     Stream
	bits     int
	exponent uint32
	sieve    []uint32
	adjust   func(candidate []byte)
}

func newPrimeSearch(rand Stream, version uint8, bits int, exponent uint32) *primeSearch {
	s := &primeSearch{rand: rand, bits: bits, exponent: exponent, sieve: oddPrimes(sieveLimit(bits)), adjust: adjust}
	if version == Version0 {
		s.adjust = adjust0
	}
	return s
}

// next returns the next prime p of the stream: sqrt(1/2) * 2^bits <= p < 2^bits,
// p mod exponent neither 0 nor 1.
func (s *primeSearch) next() (nat, error) {
	buf := make([]byte, s.bits/8)
	defer clear(buf)
	for {
		if _, err := io.ReadFull(s.rand, buf); err != nil {
			return nil, fmt.Errorf("read a prime candidate: %w", err)
		}
		s.adjust(buf)
		candidate := newNat(buf)
		p, err := s.near(candidate)
		clear(candidate)
		if p != nil || err != nil {
			return p, err
		}
	}
}

// adjust makes the big-endian candidate odd and at least sqrt(1/2), read as a
// fraction, so that the product of two has all its bits. The upper 32 bits are
// mapped linearly, in fixed point, which keeps more of the randomness than
// setting the two upper bits.
func adjust(candidate []byte) {
	top := binary.BigEndian.Uint32(candidate)
	top = (top>>16)*slope + (top&0xFFFF)*slope>>16 + low<<16
	binary.BigEndian.PutUint32(candidate, top)
	candidate[len(candidate)-1] |= 1
}

// adjust0 is adjust of Version0, of a candidate that comes in little-endian: the upper
// 16 bits are mapped, and the 32 after them lost.
func adjust0(candidate []byte) {
	slices.Reverse(candidate)
	clear(candidate[2:6])
	top := uint32(binary.BigEndian.Uint16(candidate))
	binary.BigEndian.PutUint16(candidate, uint16(top*slope>>16+low))
	candidate[len(candidate)-1] |= 1
}

const (
	low   = 0xB505 // sqrt(1/2), in 16 bits
	slope = 0x4AFB // 1 - sqrt(1/2), in 16 bits
)

// near returns a prime from the field around the candidate, nil if it has none.
func (s *primeSearch) near(candidate nat) (nat, error) {
	// The candidate's low word also picks the order in which the field is tried.
	pick := uint32(candidate[0]) | 1<<31
	f := newField(candidate, s.sieve)
	defer clear(f.base)
	for f.ones > 0 {
		p := f.take(int(pick % uint32(f.ones)))
		if r := p.mod(uint64(s.exponent)); r == 0 || r == 1 {
			continue
		}
		ok, err := millerRabin(s.rand, p)
		if err != nil {
			return nil, fmt.Errorf("test a prime candidate: %w", err)
		}
		if ok {
			return p, nil
		}
	}
	return nil, nil
}

// rounds returns how many Miller-Rabin rounds a candidate of so many bits gets
// (FIPS 186-3, appendix C.3, as the reference reads it).
func rounds(bits int) int {
	switch {
	case bits < 511:
		return 8
	case bits < 1536:
		return 5
	}
	return 4
}

// millerRabin tests w, odd and with its top bit set, with bases from the stream
// (FIPS 186-4, C.3.1). It reads len(w) words for each base, again for a base out
// of range; a composite number takes one base nearly always.
func millerRabin(rand Stream, w nat) (bool, error) {
	wBytes := w.bytes()
	defer clear(wBytes)
	m, err := bigmod.NewModulus(wBytes)
	if err != nil {
		return false, err
	}
	less := w.minus(1)
	defer clear(less)
	twos := less.trailingZeros()
	odd := less.shiftRight(twos)
	defer clear(odd)
	exponent := odd.bytes()
	defer clear(exponent)
	for range rounds(64 * len(w)) {
		base, err := randomBase(rand, m, len(wBytes))
		if err != nil {
			return false, err
		}
		if !witnessesPrime(base, exponent, twos, m) {
			return false, nil
		}
	}
	return true, nil
}

// randomBase reads numbers of size bytes until one is between 2 and w-2.
func randomBase(rand Stream, w *bigmod.Modulus, size int) (*bigmod.Nat, error) {
	buf := make([]byte, size)
	for {
		if _, err := io.ReadFull(rand, buf); err != nil {
			return nil, err
		}
		b, err := bigmod.NewNat().SetBytes(buf, w)
		if err != nil {
			continue // at least w
		}
		if b.IsZero()|b.IsOne()|b.IsMinusOne(w) == 0 {
			return b, nil
		}
	}
}

// witnessesPrime reports whether base^(odd * 2^j) mod w is 1 for j = 0, or -1
// for some j < twos.
func witnessesPrime(base *bigmod.Nat, odd []byte, twos int, w *bigmod.Modulus) bool {
	z := bigmod.NewNat().Exp(base, odd, w)
	if z.IsOne()|z.IsMinusOne(w) == 1 {
		return true
	}
	for range twos - 1 {
		z.Mul(z, w)
		if z.IsMinusOne(w) == 1 {
			return true
		}
		if z.IsOne() == 1 {
			return false
		}
	}
	return false
}
