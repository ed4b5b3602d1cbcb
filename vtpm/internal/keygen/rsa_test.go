package keygen

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"math/big"
	"testing"

	"github.com/bootseal/bootseal/vtpm/internal/wire"
)

// What a TPM's RSA key must be: two primes of half the size, a modulus with all
// its bits, and an exponent that can be inverted.
func TestRSAProperties(t *testing.T) {
	for _, c := range []struct {
		name     string
		stream   Stream
		bits     int
		exponent uint32
	}{
		{"1024, seeded", NewSeeded([]byte("a"), "t", nil, nil), 1024, 0},
		{"2048, seeded", NewSeeded([]byte("b"), "t", nil, nil), 2048, 0},
		{"2048, seeded, exponent 65539", NewSeeded([]byte("c"), "t", nil, nil), 2048, 65539},
		{"2048, seeded, the largest exponent", NewSeeded([]byte("d"), "t", nil, nil), 2048, maxExponent},
		{"3072, seeded", NewSeeded([]byte("e"), "t", nil, nil), 3072, 0},
		{"1024, entropy", System{}, 1024, 0},
		{"2048, entropy", System{}, 2048, 0},
		{"2048, entropy, exponent 65539", System{}, 2048, 65539},
		{"3072, entropy", System{}, 3072, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			if testing.Short() && c.bits > 2048 {
				t.Skip("slow")
			}
			prime, modulus, err := RSA(c.stream, c.bits, c.exponent)
			if err != nil {
				t.Fatal(err)
			}
			checkRSA(t, prime, modulus, c.bits, c.exponent)
		})
	}
}

func checkRSA(t *testing.T, prime, modulus []byte, bits int, exponent uint32) {
	t.Helper()
	if len(prime) != bits/16 || len(modulus) != bits/8 {
		t.Fatalf("prime of %d bytes, modulus of %d", len(prime), len(modulus))
	}
	if exponent == 0 {
		exponent = defaultExponent
	}
	n, p, e := new(big.Int).SetBytes(modulus), new(big.Int).SetBytes(prime), new(big.Int).SetUint64(uint64(exponent))
	q, rest := new(big.Int).QuoRem(n, p, new(big.Int))
	if rest.Sign() != 0 {
		t.Fatal("the prime does not divide the modulus")
	}
	if n.BitLen() != bits {
		t.Errorf("the modulus has %d bits", n.BitLen())
	}
	if diff := new(big.Int).Sub(p, q); diff.Abs(diff).BitLen() <= minPrimeGap {
		t.Error("the primes are too close")
	}
	one := big.NewInt(1)
	for _, f := range []*big.Int{p, q} {
		if f.BitLen() != bits/2 || !f.ProbablyPrime(20) {
			t.Errorf("a factor of %d bits, or not prime", f.BitLen())
		}
		less := new(big.Int).Sub(f, one)
		if new(big.Int).GCD(nil, nil, e, less).Cmp(one) != 0 {
			t.Error("the exponent divides a prime less one")
		}
		if f.Bit(bits/2-1) != 1 {
			t.Error("a factor lacks its top bit")
		}
	}
}

func TestRSAIsDeterministic(t *testing.T) {
	modulus := func(seed string) string {
		_, n, err := RSA(NewSeeded([]byte(seed), "t", nil, nil), 1024, 0)
		if err != nil {
			t.Fatal(err)
		}
		return string(n)
	}
	first, again := modulus("one"), modulus("one")
	if first != again {
		t.Error("one seed gave two keys")
	}
	if first == modulus("other") {
		t.Error("two seeds gave one key")
	}
}

// Debian's swtpm has no keys of 4,096 bits to compare with: this one stands for
// Version 1 as it is.
func TestRSA4096(t *testing.T) {
	prime, modulus, err := RSA(NewSeeded([]byte("seed2"), "t", nil, nil), 4096, 0)
	if err != nil {
		t.Fatal(err)
	}
	checkRSA(t, prime, modulus, 4096, 65537)
	const want = "8d6aa1531046dd5975bf24520acbaca805b427997c20b4aae72efc10348767e7"
	if got := fmt.Sprintf("%x", sha256.Sum256(modulus)); got != want {
		t.Errorf("the modulus has digest %s, want %s", got, want)
	}
}

func TestRSARefusals(t *testing.T) {
	for _, c := range []struct {
		why      string
		bits     int
		exponent uint32
		want     wire.RC
	}{
		{"exponent below 65537", 2048, 3, wire.RCRange},
		{"even exponent", 2048, 65538, wire.RCRange},
		{"composite exponent", 2048, 65541, wire.RCRange},
		{"square of a prime, which the reference takes for a prime", 2048, 257 * 257, wire.RCRange},
		{"prime over 31 bits", 2048, 1<<32 - 5, wire.RCRange},
		{"no bits", 0, 0, wire.RCValue},
		{"negative", -1024, 0, wire.RCValue},
		{"not a multiple of 1024", 2049, 0, wire.RCValue},
		{"over 4096", 5120, 0, wire.RCValue},
	} {
		if _, _, err := RSA(NewSeeded(nil, "t", nil, nil), c.bits, c.exponent); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", c.why, err, c.want)
		}
	}
}

// Each seed takes its own number of candidates: the mean over many is the cost.
func BenchmarkRSASeeded(b *testing.B) {
	for _, bits := range []int{2048, 3072} {
		b.Run(fmt.Sprint(bits), func(b *testing.B) {
			for i := 0; b.Loop(); i++ {
				if _, _, err := RSA(NewSeeded(fmt.Append(nil, i), "bench", nil, nil), bits, 0); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkRSAEntropy(b *testing.B) {
	for b.Loop() {
		if _, _, err := RSA(System{}, 2048, 0); err != nil {
			b.Fatal(err)
		}
	}
}
