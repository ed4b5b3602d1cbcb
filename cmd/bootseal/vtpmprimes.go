package main

import (
	"fmt"
	"runtime"

	"github.com/bootseal/bootseal/vtpm"
)

// maxPrimes is how many primes can be kept ready: a minute of a processor's work.
const maxPrimes = 4096

// newPrimes returns the pool that --primes asks for, nil for none.
func newPrimes(n int) (*vtpm.PrimePool, error) {
	switch {
	case n < 0 || n > maxPrimes:
		return nil, fmt.Errorf("--primes %d: up to %d can be kept", n, maxPrimes)
	case n == 0:
		return nil, nil
	}
	return vtpm.NewPrimePool(n), nil
}

// primesByDefault is how many primes a daemon keeps: eight keys' on a machine with a
// processor to spare.
func primesByDefault() int {
	if runtime.GOMAXPROCS(0) == 1 {
		return 0
	}
	return 16
}
