package keygen

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math/big"
	"testing"
	"testing/iotest"
)

// A field is the numbers around the candidate that no prime of the list
// divides: nothing more is struck, and the candidate's neighbors are in it.
func TestFieldIsTheSieve(t *testing.T) {
	primes := oddPrimes(sieveLimit(512))
	for _, low := range []byte{1, 3, 5, 0xff} { // odd and even remainders mod 105
		b := bytes.Repeat([]byte{0xd7}, 64)
		b[63] = low
		candidate := newNat(b)
		f := newField(candidate, primes)
		if r := f.base.mod(2 * fieldStep); r != fieldStep {
			t.Fatalf("the base is %d mod 210, not an odd multiple of 105", r)
		}
		if d := new(big.Int).Sub(toBig(candidate), toBig(f.base)); d.Sign() < 0 || d.Cmp(big.NewInt(2*fieldStep)) >= 0 {
			t.Fatalf("the base is %d below the candidate", d)
		}
		ones := 0
		for j := range uint64(fieldSize) {
			number, want := f.base.plus(2*j), uint64(1)
			for _, p := range primes {
				if number.mod(uint64(p)) == 0 {
					want = 0
					break
				}
			}
			if got := f.bits[j/64] >> (j % 64) & 1; got != want {
				t.Fatalf("the bit of base + %d is %d, want %d", 2*j, got, want)
			}
			ones += int(want)
		}
		if f.ones != ones {
			t.Errorf("%d bits are counted, %d are set", f.ones, ones)
		}
	}
}

func TestFieldTakesByRank(t *testing.T) {
	f := &field{base: nat{1000}, ones: 3}
	f.bits[0], f.bits[2] = 1<<5|1<<63, 1<<7
	for _, step := range []struct {
		rank int
		want uint64
	}{{1, 1000 + 2*63}, {1, 1000 + 2*(128+7)}, {0, 1000 + 2*5}} {
		if got := f.take(step.rank); got[0] != step.want {
			t.Errorf("rank %d is %d, want %d", step.rank, got[0], step.want)
		}
	}
	if f.ones != 0 || f.bits != [len(f.bits)]uint64{} {
		t.Error("taken numbers are left in the field")
	}
}

// The first 1,024 and 4,096 odd primes, and all of them below 2^16.
func TestSieveLimits(t *testing.T) {
	for _, c := range []struct {
		bits, primes int
		last         uint32
	}{{512, 1024, 8167}, {1024, 4096, 38891}, {1536, 6541, 65521}, {2048, 6541, 65521}} {
		primes := oddPrimes(sieveLimit(c.bits))
		if n := len(primes); n != c.primes || primes[n-1] != c.last {
			t.Errorf("%d bits: %d primes up to %d, want %d up to %d", c.bits, n, primes[n-1], c.primes, c.last)
		}
	}
}

// The lowest and the highest candidate: sqrt(1/2), rounded up to 16 bits, and
// just below 1. Neither end overflows.
func TestAdjustBounds(t *testing.T) {
	low, high := make([]byte, 8), bytes.Repeat([]byte{0xff}, 8)
	adjust(low)
	adjust(high)
	if want := uint64(0xB505000000000001); binary.BigEndian.Uint64(low) != want {
		t.Errorf("the lowest candidate is %x, want %x", low, want)
	}
	if want := ^uint64(0); binary.BigEndian.Uint64(high) != want {
		t.Errorf("the highest candidate is %x, want %x", high, want)
	}
	top := uint64(binary.BigEndian.Uint32(low))
	if top*top>>63 != 1 {
		t.Error("the product of two lowest candidates lacks its top bit")
	}
}

func TestMillerRabin(t *testing.T) {
	for _, c := range []struct {
		why  string
		w    uint64
		want bool
	}{
		{"the largest prime of 64 bits", 1<<64 - 59, true},
		{"a prime p with 2^32 dividing p-1: the squarings matter", 1<<64 - 1<<32 + 1, true},
		{"a product of two large primes", (1<<32 - 5) * (1<<32 - 17), false},
		{"a square", (1<<32 - 5) * (1<<32 - 5), false},
		{"a Carmichael number: Fermat's test passes most bases", 1158037 * 2316073 * 3474109, false},
	} {
		got, err := millerRabin(NewSeeded([]byte(c.why), "bases", nil, nil), nat{c.w})
		if err != nil {
			t.Fatal(err)
		}
		if got != c.want {
			t.Errorf("%s: %d is prime: %v, want %v", c.why, c.w, got, c.want)
		}
	}
}

// Bases 0, 1, w-1, w and above are drawn again; each draw is one read.
func TestMillerRabinDrawsBasesInRange(t *testing.T) {
	const w = 1<<64 - 59
	reads := &recorder{}
	for _, base := range []uint64{0, 1, w - 1, w, 1<<64 - 1, 2, 3, 5, 7, 11, 13, 17, 19} {
		reads.next = append(reads.next, binary.BigEndian.AppendUint64(nil, base))
	}
	ok, err := millerRabin(reads, nat{w})
	if err != nil || !ok {
		t.Fatalf("prime: %v, %v", ok, err)
	}
	if want := 5 + rounds(64); len(reads.sizes) != want {
		t.Errorf("%d reads, want %d", len(reads.sizes), want)
	}
}

func TestStreamErrorsComeBack(t *testing.T) {
	broken := errors.New("broken")
	if _, _, err := RSA(iotest.ErrReader(broken), 2048, 0); !errors.Is(err, broken) {
		t.Errorf("RSA: %v", err)
	}
	// The candidate is there, the bases are not.
	once := &recorder{next: [][]byte{bytes.Repeat([]byte{0x55}, 128)}, then: broken}
	if _, _, err := RSA(once, 2048, 0); !errors.Is(err, broken) {
		t.Errorf("RSA, while testing: %v", err)
	}
}

// recorder serves its reads in order, then an error, and notes their sizes.
type recorder struct {
	next  [][]byte
	then  error
	sizes []int
}

func (r *recorder) Read(p []byte) (int, error) {
	if len(r.next) == 0 {
		return 0, r.then
	}
	r.sizes = append(r.sizes, len(p))
	n := copy(p, r.next[0])
	r.next = r.next[1:]
	return n, nil
}
