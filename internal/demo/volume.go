package demo

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
)

// keySize is the size of every key here, in bytes.
const keySize = 32

// volume stands in for a LUKS2 volume: a random volume key that encrypts the
// data, in a keyslot for each key that opens it.
type volume struct {
	slots []slot
	check [sha256.Size]byte // of the volume key
}

// slot is the volume key, wrapped with AES-256-GCM.
type slot struct {
	name    string
	wrapped []byte
}

// newVolume makes a volume without keyslots, and returns its volume key.
func newVolume() (*volume, []byte) {
	key := newKey()
	return &volume{check: sha256.Sum256(key)}, key
}

// newKey returns a fresh random key.
func newKey() []byte {
	key := make([]byte, keySize)
	rand.Read(key) // never fails
	return key
}

// addSlot lets key open the volume, too.
func (v *volume) addSlot(name string, volumeKey, key []byte) error {
	aead, err := wrapping(key)
	if err != nil {
		return err
	}
	v.slots = append(v.slots, slot{name, aead.Seal(nil, nil, volumeKey, []byte(name))})
	return nil
}

// open opens the volume with a key, and says which keyslot it fits.
func (v *volume) open(key []byte) (string, error) {
	aead, err := wrapping(key)
	if err != nil {
		return "", err
	}
	for _, s := range v.slots {
		volumeKey, err := aead.Open(nil, nil, s.wrapped, []byte(s.name))
		if err != nil {
			continue
		}
		sum := sha256.Sum256(volumeKey)
		clear(volumeKey)
		if sum != v.check {
			return "", fmt.Errorf("keyslot %q holds another volume's key", s.name)
		}
		return s.name, nil
	}
	return "", errors.New("no keyslot fits the key")
}

func wrapping(key []byte) (cipher.AEAD, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("wrap the volume key: %w", err)
	}
	return cipher.NewGCMWithRandomNonce(block)
}
