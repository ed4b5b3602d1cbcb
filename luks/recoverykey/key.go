package recoverykey

import (
	"crypto/rand"
	"errors"
	"fmt"
)

// alphabet is modhex: sixteen letters that are on the same keys of most keyboards, so
// that a key can be typed where the layout is not known yet.
const alphabet = "cbdefghijklnrtuv"

const (
	rawSize   = 32 // bytes of randomness
	groupSize = 8  // letters between dashes
	plainSize = rawSize * 2
	// Size is a key's length in bytes: 64 letters and 7 dashes.
	Size = plainSize + plainSize/groupSize - 1
)

// Key is a recovery key. Its text is the keyslot's passphrase, dashes included. The
// caller clears it when done.
type Key [Size]byte

// New makes a key.
func New() *Key {
	var raw [rawSize]byte
	defer clear(raw[:])
	rand.Read(raw[:]) // never fails (Go 1.24)
	var plain [plainSize]byte
	defer clear(plain[:])
	for i, b := range raw {
		plain[2*i], plain[2*i+1] = alphabet[b>>4], alphabet[b&15]
	}
	return grouped(&plain)
}

func grouped(plain *[plainSize]byte) *Key {
	k := new(Key)
	at := 0
	for i, c := range plain {
		if i > 0 && i%groupSize == 0 {
			k[at] = '-'
			at++
		}
		k[at] = c
		at++
	}
	return k
}

// ErrNotKey is returned for a text that is no recovery key. Errors never quote it.
var ErrNotKey = errors.New("not a recovery key: want 8 groups of 8 of the letters " + alphabet)

// Parse reads a key as a person types it: in any case, with dashes, spaces or neither
// between letters. It fails with [ErrNotKey] and says where.
func Parse(text []byte) (*Key, error) {
	var plain [plainSize]byte
	defer clear(plain[:])
	n := 0
	for i, c := range text {
		if c == '-' || c == ' ' || c == '\t' || c == '\r' || c == '\n' {
			continue
		}
		if c >= 'A' && c <= 'Z' {
			c += 'a' - 'A'
		}
		if !modhex(c) {
			return nil, fmt.Errorf("%w: the character at place %d is none of them", ErrNotKey, i+1)
		}
		if n == plainSize {
			return nil, fmt.Errorf("%w: there are more than %d letters", ErrNotKey, plainSize)
		}
		plain[n] = c
		n++
	}
	if n != plainSize {
		return nil, fmt.Errorf("%w: there are %d letters, want %d", ErrNotKey, n, plainSize)
	}
	return grouped(&plain), nil
}

func modhex(c byte) bool {
	for i := range len(alphabet) {
		if alphabet[i] == c {
			return true
		}
	}
	return false
}

// Passphrase is the keyslot's passphrase. It shares the key's memory.
func (k *Key) Passphrase() []byte { return k[:] }

// Clear forgets the key.
func (k *Key) Clear() { clear(k[:]) }

// String keeps keys out of logs and messages. What is shown to a person is Passphrase.
func (k *Key) String() string { return "(recovery key)" }

// GoString is String, for %#v.
func (k *Key) GoString() string { return k.String() }
