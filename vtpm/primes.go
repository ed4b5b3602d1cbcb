package vtpm

import "github.com/bootseal/bootseal/vtpm/internal/keygen"

// PrimePool keeps primes ready for RSA keys of 2,048 bits that commands will create, for
// all TPMs of a process. Finding them is nearly all of the work of TPM2_Create; with two
// in the pool it takes well under a millisecond.
//
// A goroutine fills it, with a quarter of a processor at most. Every prime comes from
// crypto/rand, is in one key at most, and is erased by Close if in none. A copy of the
// process's memory, as in a snapshot of its machine, has copies of the primes.
type PrimePool struct{ pool *keygen.Pool }

// NewPrimePool returns a pool of so many primes, two for a key. It takes about 15 ms of a
// processor to make one, and 128 bytes to keep it.
func NewPrimePool(size int) *PrimePool { return &PrimePool{keygen.NewPool(size)} }

// Len returns how many primes are ready.
func (p *PrimePool) Len() int { return p.pool.Len() }

// Close stops the goroutine and erases the primes. TPMs that have the pool go on
// without.
func (p *PrimePool) Close() { p.pool.Close() }
