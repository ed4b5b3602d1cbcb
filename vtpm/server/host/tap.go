package host

import (
	"bytes"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/bootseal/bootseal/vtpm/server"
)

// Tap gets a copy of each command of an instance and of its response, with all secrets in
// it. It never slows the instance: what is not taken in time is dropped and counted.
type Tap struct {
	// C is closed when the instance is removed or the Tap closed.
	C       <-chan server.Exchange
	c       chan server.Exchange
	dropped atomic.Uint64
	of      *taps
}

// Dropped returns how many exchanges were lost so far.
func (t *Tap) Dropped() uint64 { return t.dropped.Load() }

// Close ends the Tap.
func (t *Tap) Close() { t.of.remove(t) }

// Tap begins to watch an instance, running or not, with room for so many exchanges.
func (h *Host) Tap(name string, room int) (*Tap, error) {
	i, err := h.find(name)
	if err != nil {
		return nil, err
	}
	return i.taps.add(room), nil
}

// taps are an instance's taps.
type taps struct {
	count atomic.Int32  // spares an instance without them the lock
	lost  atomic.Uint64 // exchanges that a tap had no room for

	mu     sync.Mutex
	list   []*Tap
	closed bool // the instance is gone
}

func (ts *taps) add(room int) *Tap {
	t := &Tap{c: make(chan server.Exchange, room), of: ts}
	t.C = t.c
	ts.mu.Lock()
	defer ts.mu.Unlock()
	if ts.closed {
		close(t.c)
		return t
	}
	ts.list = append(ts.list, t)
	ts.count.Store(int32(len(ts.list)))
	return t
}

func (ts *taps) remove(t *Tap) {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	if at := slices.Index(ts.list, t); at >= 0 {
		ts.list = slices.Delete(ts.list, at, at+1)
		close(t.c)
	}
	ts.count.Store(int32(len(ts.list)))
}

func (ts *taps) closeAll() {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	for _, t := range ts.list {
		close(t.c)
	}
	ts.list, ts.closed = nil, true
	ts.count.Store(0)
}

// offer gives an exchange to all taps that have room.
func (ts *taps) offer(x server.Exchange) {
	if ts.count.Load() == 0 {
		return
	}
	x.Command, x.Response = bytes.Clone(x.Command), bytes.Clone(x.Response)
	ts.mu.Lock()
	defer ts.mu.Unlock()
	for _, t := range ts.list {
		select {
		case t.c <- x:
		default:
			t.dropped.Add(1)
			ts.lost.Add(1)
		}
	}
}
