package keygen

import (
	"encoding/binary"
	"math/bits"
)

// nat is a natural number of fixed length, least significant limb first. It has
// the few operations that the search for a prime needs besides exponentiation.
// Their running time depends on the length alone, as far as the processor's
// division does.
type nat []uint64

// newNat reads a big-endian number whose length is a multiple of eight bytes.
func newNat(b []byte) nat {
	x := make(nat, len(b)/8)
	for i := range x {
		x[i] = binary.BigEndian.Uint64(b[len(b)-8*(i+1):])
	}
	return x
}

// bytes returns x in big-endian order, with its leading zeros.
func (x nat) bytes() []byte {
	b := make([]byte, 8*len(x))
	for i, limb := range x {
		binary.BigEndian.PutUint64(b[len(b)-8*(i+1):], limb)
	}
	return b
}

// mod returns x mod m.
func (x nat) mod(m uint64) uint64 {
	var r uint64
	for i := len(x) - 1; i >= 0; i-- {
		r = bits.Rem64(r, x[i], m)
	}
	return r
}

// plus returns x + y, which must not be longer than x.
func (x nat) plus(y uint64) nat {
	z := make(nat, len(x))
	carry := y
	for i := range x {
		z[i], carry = bits.Add64(x[i], carry, 0)
	}
	return z
}

// minus returns x - y for x at least y.
func (x nat) minus(y uint64) nat {
	z := make(nat, len(x))
	borrow := y
	for i := range x {
		z[i], borrow = bits.Sub64(x[i], borrow, 0)
	}
	return z
}

// times returns x * y, as long as both together.
func (x nat) times(y nat) nat {
	z := make(nat, len(x)+len(y))
	for i, a := range x {
		var carry uint64
		for j, b := range y {
			hi, lo := bits.Mul64(a, b)
			var c uint64
			lo, c = bits.Add64(lo, z[i+j], 0)
			hi += c // at most 2^64-2 before
			z[i+j], c = bits.Add64(lo, carry, 0)
			carry = hi + c // since a*b + z + carry has 128 bits
		}
		z[i+len(y)] = carry
	}
	return z
}

// shiftRight returns x >> n for n < 64 * len(x).
func (x nat) shiftRight(n int) nat {
	z := make(nat, len(x))
	limbs, rest := n/64, uint(n%64)
	for i := limbs; i < len(x); i++ {
		z[i-limbs] = x[i] >> rest
		if i+1 < len(x) {
			z[i-limbs] |= x[i+1] << (64 - rest) // a shift by 64 is zero in Go
		}
	}
	return z
}

// trailingZeros returns how often two divides x, which is not zero.
func (x nat) trailingZeros() int {
	for i, limb := range x {
		if limb != 0 {
			return 64*i + bits.TrailingZeros64(limb)
		}
	}
	return 64 * len(x)
}

// closer reports whether x and y, of the same length, differ by less than 2^n.
func (x nat) closer(y nat, n int) bool {
	diff := make(nat, len(x))
	var borrow uint64
	for i := range x {
		diff[i], borrow = bits.Sub64(x[i], y[i], borrow)
	}
	if borrow != 0 { // negative: take the two's complement
		carry := uint64(1)
		for i := range diff {
			diff[i], carry = bits.Add64(^diff[i], 0, carry)
		}
	}
	for _, limb := range diff.shiftRight(n) {
		if limb != 0 {
			return false
		}
	}
	return true
}
