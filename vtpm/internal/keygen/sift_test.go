package keygen

import (
	"bytes"
	"math/rand/v2"
	"testing"
)

// A bit is set where no odd prime up to the limit divides the number, at the start and
// far from it, whatever the remainders of the start are.
func TestSiftAgainstDivision(t *testing.T) {
	random := rand.NewChaCha8([32]byte{1})
	b := make([]byte, 64)
	for round := range 4 {
		random.Read(b)
		b[63] |= 1
		if round == 0 { // a multiple of every small prime: all remainders are zero
			b = append(make([]byte, 58), 0, 0, 0, 0, 0, 105)
		}
		start := newNat(b)
		s := newSift(start)
		for take := range uint64(8) {
			got := s.take()
			for j := range uint64(64) {
				number, want := start.plus(2*(64*take+j)), uint64(1)
				for _, p := range oddPrimes(siftLimit) {
					if number.mod(uint64(p)) == 0 {
						want = 0
						break
					}
				}
				if got>>j&1 != want {
					t.Fatalf("round %d: start + %d is %d, want %d", round, 2*(64*take+j), got>>j&1, want)
				}
			}
		}
	}
}

func TestSiftClears(t *testing.T) {
	s := newSift(newNat(bytes.Repeat([]byte{0xA7}, 64)))
	s.clear()
	for _, x := range s.next {
		if x != 0 {
			t.Fatal("a remainder of the start is left")
		}
	}
}

func BenchmarkSift(b *testing.B) {
	start := newNat(bytes.Repeat([]byte{0xA7}, 128))
	b.Run("start", func(b *testing.B) {
		for b.Loop() {
			newSift(start)
		}
	})
	s := newSift(start)
	b.Run("take", func(b *testing.B) {
		for b.Loop() {
			s.take()
		}
	})
}
