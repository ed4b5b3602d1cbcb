package store

import (
	"encoding/binary"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"time"
)

// Ledger counts any number of states with one Counter, such as an NV index of a TPM,
// of which there are few. It is a state of its own: a directory with a record for each
// state that it counts, encrypted, and counted itself each time that one of them is.
//
// Any number of processes can use a ledger; each opens it for a moment. What several
// goroutines want at once is done at once.
type Ledger struct {
	dir     string
	options Options

	mu      sync.Mutex
	pending []*move
	turn    sync.Mutex // of who opens the directory
}

// A move is a change of one record: what becomes of it, or an error.
type move struct {
	state  string
	change func(Count) (Count, error)
	done   chan error // has room for one
}

// ledgerInstance is the instance that a ledger is, which no vTPM is.
const ledgerInstance = ownPrefix + "ledger"

// NewLedger returns the ledger in dir, without opening it. The key encrypts it, and
// counter counts it.
func NewLedger(dir string, key []byte, counter Counter) (*Ledger, error) {
	o, err := Options{Key: key, Instance: ledgerInstance, Counter: counter, countLater: true}.own()
	if err == nil && (key == nil || counter == nil) {
		err = errors.New("a ledger needs a key and a counter")
	}
	if err != nil {
		return nil, err
	}
	return &Ledger{dir: filepath.Clean(dir), options: o}, nil
}

// Create makes the ledger in its directory, where there must not be one.
func (l *Ledger) Create() error {
	return l.accept(func(d *Directory) error {
		if d.journal != nil || len(d.records) > 0 {
			return fmt.Errorf("%s: there is a ledger already", l.dir)
		}
		return d.Count()
	})
}

// Accept takes the ledger for the latest one although it is an older copy. What its
// states may be rolled back to is what it has.
func (l *Ledger) Accept() error {
	return l.accept(func(d *Directory) error {
		if d.journal == nil && len(d.records) == 0 {
			return fmt.Errorf("%s: there is no ledger", l.dir)
		}
		return d.Count()
	})
}

func (l *Ledger) accept(f func(*Directory) error) error {
	o := l.options
	o.Accept = true
	d, err := OpenDirectoryOptions(l.dir, o)
	if err != nil {
		return fmt.Errorf("open the ledger: %w", err)
	}
	return errors.Join(f(d), d.Close())
}

// Counter returns the counter of the state with the name.
func (l *Ledger) Counter(state string) *LedgerCounter { return &LedgerCounter{l, state} }

// LedgerCounter is the Counter of one state in a Ledger.
type LedgerCounter struct {
	ledger *Ledger
	state  string
}

// Read returns the count.
func (c *LedgerCounter) Read() (count Count, err error) {
	err = c.ledger.open(func(d *Directory) error {
		count, err = decodeCount(d.records[c.state])
		return err
	})
	return count, err
}

// Advance moves the count from a value to the next.
func (c *LedgerCounter) Advance(from uint64) error {
	return c.ledger.do(c.state, func(count Count) (Count, error) {
		if count.Value != from {
			return count, fmt.Errorf("the ledger has %d", count.Value)
		}
		return Count{from + 1, true}, nil
	})
}

// Retire ends the use of the count: the state may be missing from then on, so that a
// new TPM is made in its place, and no copy of the old one opens.
func (c *LedgerCounter) Retire() error {
	return c.ledger.do(c.state, func(count Count) (Count, error) {
		if !count.InUse {
			return count, nil
		}
		return Count{count.Value + 1, false}, nil
	})
}

// do makes a change, together with those of others who wait for their turn.
func (l *Ledger) do(state string, change func(Count) (Count, error)) error {
	m := &move{state, change, make(chan error, 1)}
	l.mu.Lock()
	l.pending = append(l.pending, m)
	l.mu.Unlock()
	l.turn.Lock()
	defer l.turn.Unlock()
	l.mu.Lock()
	all := l.pending
	l.pending = nil
	l.mu.Unlock()
	if len(all) > 0 {
		l.doAll(all)
	}
	return <-m.done
}

func (l *Ledger) doAll(all []*move) {
	errs := make([]error, len(all))
	err := l.open(func(d *Directory) error {
		changes := make(map[string][]byte)
		for i, m := range all {
			value, ok := changes[m.state]
			if !ok {
				value = d.records[m.state]
			}
			var count Count
			if count, errs[i] = decodeCount(value); errs[i] != nil {
				continue
			}
			if count, errs[i] = m.change(count); errs[i] == nil {
				changes[m.state] = encodeCount(count)
			}
		}
		d.mu.Lock()
		defer d.mu.Unlock()
		return d.countWith(changes)
	})
	for i, m := range all {
		m.done <- errors.Join(errs[i], err)
	}
}

// ledgerPatience is how long to wait for another process that has the ledger open. It
// has it for a moment, and a TPM's counter takes tens of milliseconds.
const ledgerPatience = 30 * time.Second

// open opens the ledger's directory, which must hold one, for f.
func (l *Ledger) open(f func(*Directory) error) error {
	deadline := time.Now().Add(ledgerPatience)
	for {
		d, err := OpenDirectoryOptions(l.dir, l.options)
		if errors.Is(err, ErrInUse) && time.Now().Before(deadline) {
			time.Sleep(5 * time.Millisecond)
			continue
		}
		if err != nil {
			return fmt.Errorf("open the ledger: %w", err)
		}
		return errors.Join(f(d), d.Close())
	}
}

// A record is the count and whether it is in use.
func encodeCount(c Count) []byte {
	b := binary.BigEndian.AppendUint64(nil, c.Value)
	if c.InUse {
		return append(b, 1)
	}
	return append(b, 0)
}

func decodeCount(b []byte) (Count, error) {
	if b == nil {
		return Count{}, nil
	}
	if len(b) != 9 || b[8] > 1 {
		return Count{}, fmt.Errorf("the ledger has a record of %x", b)
	}
	return Count{binary.BigEndian.Uint64(b), b[8] == 1}, nil
}
