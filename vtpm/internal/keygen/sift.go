package keygen

import (
	"math/bits"
	"sync"
)

// siftLimit is up to which number primes are struck out where the choice is ours. Each
// doubling saves one test in seventeen, and doubles what a start costs.
const siftLimit = 1 << 17

// patterned is how many of the odd primes are below 64, and may have more than one
// multiple among 64 odd numbers.
const patterned = 17

// divisor is an odd prime of a sift.
type divisor struct {
	prime uint32
	back  uint32 // -64 mod prime: what 64 odd numbers further changes
}

var divisors = sync.OnceValue(func() []divisor {
	primes := oddPrimes(siftLimit)
	all := make([]divisor, len(primes))
	for i, p := range primes {
		all[i] = divisor{p, (p - 64%p) % p}
	}
	return all
})

// sift strikes out what a small prime divides among the odd numbers from a start on, 64
// at a time. It does the same and touches the same memory whatever the start is, which a
// field with a bit for each number does not: where its bits are cleared tells the
// remainders of a prime that is to be a secret.
type sift struct {
	divisors []divisor
	next     []uint32 // for each: how many odd numbers further its next multiple is
}

// newSift returns the sift of start, start+2, ...; start is odd.
func newSift(start nat) *sift {
	s := &sift{divisors: divisors()}
	s.next = make([]uint32, len(s.divisors))
	for i := 0; i < len(s.divisors); {
		n, product := divisorBatch(s.divisors[i:])
		rest := start.mod(product)
		for _, d := range s.divisors[i : i+n] {
			// start + 2j = 0 mod prime: j is half of prime - rest, or of that and prime.
			to := d.prime - uint32(rest%uint64(d.prime))
			s.next[i] = reduceOnce((to+d.prime&-(to&1))/2, d.prime)
			i++
		}
	}
	return s
}

// divisorBatch is batch for divisors.
func divisorBatch(ds []divisor) (n int, product uint64) {
	product = 1
	for n < len(ds) {
		hi, lo := bits.Mul64(product, uint64(ds[n].prime))
		if hi != 0 {
			break
		}
		product = lo
		n++
	}
	return n, product
}

// reduceOnce returns x mod p for x below 2p.
func reduceOnce(x, p uint32) uint32 {
	d := x - p
	return d + p&uint32(int32(d)>>31)
}

// take returns the next 64 odd numbers, from the lowest bit on: a bit is set where no
// small prime divides the number.
func (s *sift) take() uint64 {
	var struck uint64
	next := s.next[:len(s.divisors)]
	for i, d := range s.divisors[:patterned] {
		var multiples uint64
		for j := uint32(0); j < 64; j += d.prime {
			multiples |= 1 << j
		}
		struck |= multiples << next[i]
		next[i] = reduceOnce(next[i]+d.back, d.prime)
	}
	for i, d := range s.divisors[patterned:] {
		j := &next[patterned:][i]
		struck |= 1 << *j // nothing where that is 64 or more
		*j = reduceOnce(*j+d.back, d.prime)
	}
	return ^struck
}

func (s *sift) clear() { clear(s.next) }
