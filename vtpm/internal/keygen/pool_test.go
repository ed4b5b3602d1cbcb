package keygen

import (
	"testing"
	"time"
)

// filled waits until the pool has n primes.
func filled(t *testing.T, p *Pool, n int) {
	t.Helper()
	for end := time.Now().Add(5 * time.Minute); p.Len() < n; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("the pool has %d primes after minutes", p.Len())
		}
	}
}

// Keys of a pool's primes are keys like others, no prime is in two of them, and the pool
// fills up again.
func TestPool(t *testing.T) {
	p := NewPool(4)
	defer p.Close()
	seen := make(map[string]bool)
	for range 2 {
		filled(t, p, 4)
		for range 2 {
			prime, modulus, err := RSA(System{Primes: p}, 2048, 0)
			if err != nil {
				t.Fatal(err)
			}
			checkRSA(t, prime, modulus, 2048, 0)
			if seen[string(prime)] {
				t.Fatal("a prime is in two keys")
			}
			seen[string(prime)] = true
		}
	}
}

func TestPoolIsUsed(t *testing.T) {
	p := NewPool(2)
	defer p.Close()
	filled(t, p, 2)
	p.mu.Lock()
	want := map[string]bool{string(p.primes[0].bytes()): true, string(p.primes[1].bytes()): true}
	p.mu.Unlock()
	if prime, _, err := RSA(System{Primes: p}, 2048, 0); err != nil || !want[string(prime)] {
		t.Errorf("the key has another prime, or none: %v", err)
	}
}

// Only System takes from a pool, and only primes of the size that it has.
func TestPoolIsLeftAlone(t *testing.T) {
	p := NewPool(1)
	defer p.Close()
	filled(t, p, 1)
	if p.take(512) != nil || p.take(2048) != nil {
		t.Error("the pool gave a prime of another size")
	}
	if _, _, err := RSA(NewSeeded([]byte("a"), "t", nil, nil), 2048, 0); err != nil || p.Len() != 1 {
		t.Errorf("a key of a seed took from the pool: %v", err)
	}
}

// What is left is erased, a search that runs ends, and the pool stays usable as an empty
// one.
func TestPoolClose(t *testing.T) {
	p := NewPool(100)
	filled(t, p, 1)
	p.mu.Lock()
	left := p.primes[0]
	p.mu.Unlock()
	p.Close()
	p.Close()
	for _, limb := range left {
		if limb != 0 {
			t.Fatal("a prime was left in memory")
		}
	}
	if p.Len() != 0 || p.take(poolBits) != nil {
		t.Error("a closed pool has primes")
	}
}
