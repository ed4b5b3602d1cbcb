package keygen

import (
	"sync"
	"time"
)

// poolBits is the size of a pool's primes: those of RSA keys of 2,048 bits, which is what
// nearly everybody makes.
const poolBits = 1024

// poolShare is the part of one processor that a pool takes while it fills: one in so
// many.
const poolShare = 4

// Pool keeps primes of crypto/rand for RSA keys to come. Each is used once. A copy of
// the process's memory has copies of them.
type Pool struct {
	stop chan struct{}
	done chan struct{}

	mu     sync.Mutex
	wanted sync.Cond // a prime was taken, or the pool is closed
	closed bool
	primes []nat
	size   int
}

// NewPool returns a pool that a goroutine fills with so many primes until Close.
func NewPool(size int) *Pool {
	p := &Pool{size: size, stop: make(chan struct{}), done: make(chan struct{})}
	p.wanted.L = &p.mu
	go p.fill()
	return p
}

// Len returns how many primes are ready.
func (p *Pool) Len() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.primes)
}

// Close ends the goroutine and erases what is left. The pool is empty after that.
func (p *Pool) Close() {
	p.mu.Lock()
	if !p.closed {
		p.closed = true
		close(p.stop)
		p.wanted.Signal()
	}
	for _, x := range p.primes {
		clear(x)
	}
	p.primes = nil
	p.mu.Unlock()
	<-p.done
}

// take removes a prime of so many bits, nil if there is none.
func (p *Pool) take(bits int) nat {
	p.mu.Lock()
	defer p.mu.Unlock()
	last := len(p.primes) - 1
	if bits != poolBits || last < 0 {
		return nil
	}
	x := p.primes[last]
	p.primes[last] = nil
	p.primes = p.primes[:last]
	p.wanted.Signal()
	return x
}

// fill adds primes while there is room.
func (p *Pool) fill() {
	defer close(p.done)
	for p.waitForRoom() {
		worked := time.Now()
		x, err := randomPrime(poolBits, defaultExponent, func() {
			p.rest(time.Since(worked))
			worked = time.Now()
		})
		if err != nil || !p.add(x) {
			return
		}
	}
}

// rest lets others have the processor, for as long as the share demands after so much
// work. It ends when the pool is closed.
func (p *Pool) rest(worked time.Duration) {
	select {
	case <-time.After((poolShare - 1) * worked):
	case <-p.stop:
	}
}

// waitForRoom reports whether there is room for a prime; not when the pool is closed.
func (p *Pool) waitForRoom() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for !p.closed && len(p.primes) >= p.size {
		p.wanted.Wait()
	}
	return !p.closed
}

func (p *Pool) add(x nat) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		clear(x)
		return false
	}
	p.primes = append(p.primes, x)
	return true
}
