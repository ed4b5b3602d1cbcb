package store

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
)

// Counter counts outside of a state, where somebody who puts an older copy of the
// state back cannot put back the count: in a TPM of the host, in a Ledger, in etcd.
//
// The state has the count, too, authenticated with the rest of it. To move on, the
// state is written with the next number first, and then the counter is moved to it. So
// the two are the same, or a power cut came in between and the state is ahead by one.
// A state that is behind is an older copy.
type Counter interface {
	// Read returns the count.
	Read() (Count, error)
	// Advance moves the count from a value to the next one, durably, and is in use from
	// then on. It is an error when the count is not from. After any error the count may
	// have moved or not.
	Advance(from uint64) error
}

// Count is what a Counter stands at.
type Count struct {
	Value uint64
	// InUse says that a state has been counted. It must exist then.
	InUse bool
}

// RollbackError says that the state is not the one that the counter counted last.
type RollbackError struct {
	State, Counter uint64
	// Missing says that there is no state, although one was counted.
	Missing bool
}

// Error says what the state and the counter have.
func (e *RollbackError) Error() string {
	switch {
	case e.Missing:
		return fmt.Sprintf("the state is missing: its counter stands at %d, so there was one", e.Counter)
	case e.State < e.Counter:
		return fmt.Sprintf("the state is an older copy: it has count %d, its counter stands at %d", e.State, e.Counter)
	}
	return fmt.Sprintf("the state has count %d, and its counter stands at %d only: it is the counter of another state, or was reset", e.State, e.Counter)
}

// ErrCounted is the error of opening a state without the counter that it has.
var ErrCounted = errors.New("the state has a counter, which was not given")

// judge says whether a state is the one that was counted last. Its count is 0 when it
// was never counted.
func judge(c Count, state uint64, exists bool) error {
	switch {
	case !exists && !c.InUse:
		return nil
	case !exists:
		return &RollbackError{Counter: c.Value, Missing: true}
	case state == c.Value+1, state == c.Value && c.InUse:
		return nil
	case state == 0 && c == Count{}:
		return nil // neither was used before
	}
	return &RollbackError{State: state, Counter: c.Value}
}

// The records whose names begin with ownPrefix are the store's: no TPM sees them.
const (
	ownPrefix   = "\x00"
	countRecord = ownPrefix + "count"
)

// count returns the state's count, 0 when it has none.
func count(records map[string][]byte) (uint64, error) {
	value, ok := records[countRecord]
	if !ok {
		return 0, nil
	}
	if len(value) != 8 || binary.BigEndian.Uint64(value) == 0 {
		return 0, fmt.Errorf("the state's count is %x, which is none", value)
	}
	return binary.BigEndian.Uint64(value), nil
}

func isOwn(record string) bool { return strings.HasPrefix(record, ownPrefix) }

// checkCount refuses a state that was just read when it is not the one that the counter
// counted last. It returns what the counter stands at, if there is one.
func checkCount(records map[string][]byte, exists bool, o Options) (c Count, err error) {
	state, err := count(records)
	switch {
	case err != nil:
		return c, err
	case o.Counter == nil && state != 0 && !o.Accept:
		return c, ErrCounted
	case o.Counter == nil:
		return c, nil
	}
	if c, err = o.Counter.Read(); err != nil {
		return c, fmt.Errorf("read the state's counter: %w", err)
	}
	if o.Accept {
		return c, nil
	}
	return c, judge(c, state, exists)
}

// Count makes the state's count the next one, and moves the counter: older copies of
// the state are of no use from then on. It is done when a state is opened and closed.
// Without a counter there is nothing to do.
func (d *Directory) Count() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.countWith(nil)
}

// countWith is Count, with changes that are made durable before the counter moves.
func (d *Directory) countWith(changes map[string][]byte) error {
	if d.options.Counter == nil {
		return d.commit(changes)
	}
	// Nobody else moves it while the state is open.
	from := d.counted.Value
	all := map[string][]byte{countRecord: binary.BigEndian.AppendUint64(nil, from+1)}
	for name, value := range changes {
		all[name] = value
	}
	if err := d.commit(all); err != nil {
		return err
	}
	if err := d.options.Counter.Advance(from); err != nil {
		return fmt.Errorf("move the state's counter from %d to %d: %w", from, from+1, d.recount(err))
	}
	d.counted = Count{from + 1, true}
	return nil
}

// recount looks where the counter is after it failed: it may have moved.
func (d *Directory) recount(err error) error {
	c, readErr := d.options.Counter.Read()
	if readErr == nil {
		d.counted = c
	}
	return err
}
