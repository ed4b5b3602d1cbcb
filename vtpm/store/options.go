package store

import (
	"bytes"
	"errors"
	"fmt"
)

// KeySize is the size of Options.Key, in bytes.
const KeySize = 32

// Options say how a state is kept. The zero value is a state that everybody reads
// who reads its file.
type Options struct {
	// Key encrypts the state: 32 random bytes, from KeyFromFile, KeyFromCredential
	// or elsewhere. It encrypts the keys of the files, never the state itself, so
	// many states may share it. Nil is no encryption, and opens no state that is
	// encrypted.
	Key []byte
	// Instance names the vTPM whose state this is. A state that was encrypted for
	// one instance does not open as another's.
	Instance string
	// Adopt takes over a state that is not encrypted although there is a Key, and
	// encrypts it with the next Commit. Without it such a state is refused: who
	// writes to the directory could have put it there. What was on the disk before
	// may still be found on it.
	Adopt bool

	// Counter counts the state, so that an older copy of it is refused; it needs a Key.
	// The counter is of this state alone. Nil is none.
	Counter Counter
	// Accept takes the state for the latest one, whatever the counter says, as after a
	// backup was restored on purpose. Without a Counter, it opens a state that has one.
	Accept bool

	// countLater leaves it to others to count.
	countLater bool
	// leastSize is the least size of a file, in bytes; 0 is the one to use.
	leastSize int64
}

// own checks the options and returns a copy with memory of its own.
func (o Options) own() (Options, error) {
	if o.Key == nil && o.Counter != nil {
		return o, errors.New("a counter is of no use to a state without a key: anybody could write the count")
	}
	if o.Key == nil {
		return o, nil
	}
	if len(o.Key) != KeySize {
		return o, fmt.Errorf("the key to the TPM's state has %d bytes instead of %d", len(o.Key), KeySize)
	}
	o.Key = bytes.Clone(o.Key)
	return o, nil
}
