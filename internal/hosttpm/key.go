package hosttpm

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/bootseal/bootseal/seal"
	"github.com/bootseal/bootseal/vtpm/store"
	"github.com/google/go-tpm/tpm2/transport"
)

// Key is what is sealed: the key to states, and the counter that goes with it.
type Key struct {
	Key []byte // store.KeySize bytes
	// Counter is the NV index of the counter, 0 for none. It is sealed with the key, so
	// that nobody can take it away.
	Counter seal.Handle
}

// Clear erases the key.
func (k Key) Clear() { clear(k.Key) }

// SealedKey is a Key that only one TPM opens. It is written as JSON and no secret.
type SealedKey struct {
	Version int          `json:"version"`
	Sealed  *seal.Sealed `json:"sealed"`
	// Counter repeats the sealed Key's, for people.
	Counter seal.Handle `json:"counter,omitempty"`
}

const (
	keyVersion = 1
	// maxKeyFile is far more than 64 branches of 24 PCRs take, in bytes.
	maxKeyFile = 1 << 20
)

// Seal seals the key under the policy.
func Seal(tpm transport.TPM, k Key, p seal.Policy, ownerAuth []byte) (*SealedKey, error) {
	if len(k.Key) != store.KeySize {
		return nil, fmt.Errorf("a key to states has %d bytes, not %d", store.KeySize, len(k.Key))
	}
	secret := bytes.Clone(k.Key)
	if k.Counter != 0 {
		secret = binary.BigEndian.AppendUint32(secret, uint32(k.Counter))
	}
	defer clear(secret)
	sealed, err := seal.Seal(tpm, seal.Options{Secret: secret, Policy: p, OwnerAuth: ownerAuth})
	if err != nil {
		return nil, err
	}
	return &SealedKey{Version: keyVersion, Sealed: sealed, Counter: k.Counter}, nil
}

// Open has the TPM give out the key. Errors are seal.Unseal's: a *seal.MismatchError
// where this boot is another one than the key was sealed for.
func (s *SealedKey) Open(tpm transport.TPM) (Key, error) {
	secret, err := seal.Unseal(tpm, s.Sealed, nil)
	if err != nil {
		return Key{}, err
	}
	var k Key
	switch len(secret) {
	case store.KeySize + 4:
		k.Counter = seal.Handle(binary.BigEndian.Uint32(secret[store.KeySize:]))
	case store.KeySize:
	default:
		clear(secret)
		return Key{}, fmt.Errorf("a secret of %d bytes is no key to states", len(secret))
	}
	k.Key = secret[:store.KeySize:store.KeySize]
	if k.Counter != s.Counter {
		k.Clear()
		return Key{}, fmt.Errorf("the sealed key has counter %v, its file says %v", k.Counter, s.Counter)
	}
	return k, nil
}

// ReadKey reads a sealed key from a file.
func ReadKey(path string) (*SealedKey, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("read the sealed key: %w", err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxKeyFile+1))
	if err != nil {
		return nil, fmt.Errorf("read the sealed key: %w", err)
	}
	s, err := ParseKey(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return s, nil
}

// ParseKey parses a sealed key.
func ParseKey(data []byte) (*SealedKey, error) {
	if len(data) > maxKeyFile {
		return nil, errors.New("too long for a sealed key")
	}
	s := new(SealedKey)
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(s); err != nil {
		return nil, fmt.Errorf("not a sealed key: %w", err)
	}
	if d.More() {
		return nil, errors.New("not a sealed key: there is more behind it")
	}
	if s.Version != keyVersion || s.Sealed == nil {
		return nil, fmt.Errorf("not a sealed key of version %d", keyVersion)
	}
	if s.Sealed.Policy.PIN {
		return nil, errors.New("a sealed key with a PIN is of no use to a service")
	}
	return s, s.Sealed.Check()
}
