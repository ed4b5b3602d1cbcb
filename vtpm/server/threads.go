package server

import "sync/atomic"

// Threads bounds how many clients of the servers that share it hold a thread each while
// they are busy. Clients beyond that are served, too, a few microseconds slower: the
// process of many servers must not run out of threads, which would be its end.
type Threads struct {
	most int64
	held atomic.Int64
}

// NewThreads returns a bound.
func NewThreads(most int) *Threads { return &Threads{most: int64(most)} }

// enter takes a thread, if there is one left.
func (t *Threads) enter() bool {
	if t == nil {
		return true
	}
	if t.held.Add(1) <= t.most {
		return true
	}
	t.held.Add(-1)
	return false
}

func (t *Threads) leave() {
	if t != nil {
		t.held.Add(-1)
	}
}
