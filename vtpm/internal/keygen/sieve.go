package keygen

import "math/bits"

const (
	fieldSize = 2048 * 8 // odd numbers in a field
	fieldStep = 105      // a field starts at an odd multiple of 3 * 5 * 7
)

// field marks the odd numbers from a base on: bit j stands for base + 2j.
type field struct {
	base nat
	bits [fieldSize / 64]uint64
	ones int // bits set
}

// newField returns the field around candidate, an odd number, without the
// multiples of the odd primes given.
func newField(candidate nat, primes []uint32) *field {
	back := candidate.mod(fieldStep)
	if back%2 == 1 {
		back += fieldStep // the base is to be odd as the candidate is
	}
	f := &field{base: candidate.minus(back)}
	for i := range f.bits {
		f.bits[i] = ^uint64(0)
	}
	for len(primes) > 0 {
		n, product := batch(primes)
		rest := f.base.mod(product)
		for _, p := range primes[:n] {
			f.strike(uint64(p), rest%uint64(p))
		}
		primes = primes[n:]
	}
	for _, w := range f.bits {
		f.ones += bits.OnesCount64(w)
	}
	return f
}

// batch returns how many of the leading primes have a product that fits in a
// word, and the product: one long division then serves all of them.
func batch(primes []uint32) (n int, product uint64) {
	product = 1
	for n < len(primes) {
		hi, lo := bits.Mul64(product, uint64(primes[n]))
		if hi != 0 {
			break
		}
		product = lo
		n++
	}
	return n, product
}

// strike clears the multiples of p, where r is the base mod p.
func (f *field) strike(p, r uint64) {
	// base + 2j = 0 mod p: half of p-r if that is even, else of 2p-r.
	j := uint64(0)
	switch {
	case r == 0:
	case r%2 == 1:
		j = (p - r) / 2
	default:
		j = p - r/2
	}
	for ; j < fieldSize; j += p {
		f.bits[j/64] &^= 1 << (j % 64)
	}
}

// take clears the nth bit set, counted from zero, and returns its number.
func (f *field) take(n int) (number nat) {
	for i, w := range f.bits {
		count := bits.OnesCount64(w)
		if n >= count {
			n -= count
			continue
		}
		for ; n > 0; n-- {
			w &= w - 1
		}
		j := bits.TrailingZeros64(w)
		f.bits[i] &^= 1 << j
		f.ones--
		return f.base.plus(2 * uint64(64*i+j))
	}
	panic("keygen: the field has fewer candidates than counted")
}

// oddPrimes returns the odd primes up to limit, in order.
func oddPrimes(limit uint32) []uint32 {
	composite := make([]bool, limit/2+1) // index i stands for 2i+1
	var primes []uint32
	for n := uint32(3); n <= limit; n += 2 {
		if composite[n/2] {
			continue
		}
		primes = append(primes, n)
		for m := uint64(n) * uint64(n); m <= uint64(limit); m += 2 * uint64(n) {
			composite[m/2] = true
		}
	}
	return primes
}

// sieveLimit returns up to which number the primes serve for sieving candidates
// of so many bits: the 1,024th and the 4,096th odd prime, then everything that 16
// bits hold.
func sieveLimit(bits int) uint32 {
	switch {
	case bits <= 512:
		return 8167
	case bits <= 1024:
		return 38891
	}
	return 65535
}
