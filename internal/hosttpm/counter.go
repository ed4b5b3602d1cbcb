package hosttpm

import (
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"

	"github.com/bootseal/bootseal/seal"
	"github.com/bootseal/bootseal/vtpm/store"
	"github.com/google/go-tpm/tpm2/transport"
)

// Counter is a counter in an NV index of a TPM, for a store.Ledger: see seal.Counter.
//
// Who reads or moves it must know the key: the index's authValue derives from it, and
// the TPM's answers are authenticated by it.
type Counter struct {
	// Open opens the TPM, for one read or move.
	Open    func() (transport.TPMCloser, error)
	counter seal.Counter
}

var _ store.Counter = (*Counter)(nil)

// NewCounter returns the counter of a key that has one.
func NewCounter(k Key, open func() (transport.TPMCloser, error)) (*Counter, error) {
	auth, err := counterAuth(k.Key)
	if err != nil {
		return nil, err
	}
	return &Counter{Open: open, counter: seal.Counter{Index: k.Counter, Auth: auth}}, nil
}

// counterAuth derives the index's authValue: 32 hexadecimal digits.
func counterAuth(key []byte) ([]byte, error) {
	auth, err := hkdf.Key(sha256.New, key, nil, "bootseal vTPM state counter", 16)
	if err != nil {
		return nil, err
	}
	return hex.AppendEncode(nil, auth), nil
}

// DefineCounter makes a counter for the key in a free NV index. It needs the owner
// hierarchy's authValue, empty on most machines.
func DefineCounter(tpm transport.TPM, key, ownerAuth []byte) (seal.Handle, error) {
	auth, err := counterAuth(key)
	if err != nil {
		return 0, err
	}
	srk, _, err := seal.EnsureSRK(tpm, ownerAuth)
	if err != nil {
		return 0, err
	}
	c, err := seal.DefineCounter(tpm, srk, auth, ownerAuth)
	return c.Index, err
}

// RemoveCounter removes the NV index.
func RemoveCounter(tpm transport.TPM, index seal.Handle, ownerAuth []byte) error {
	c := seal.Counter{Index: index}
	return c.Remove(tpm, ownerAuth)
}

// Read returns the count. A counter that exists is in use: the ledger was made with it.
func (c *Counter) Read() (count store.Count, err error) {
	err = c.with(func(tpm transport.TPM) error {
		count.Value, err = c.counter.Read(tpm)
		count.InUse = true
		return err
	})
	return count, err
}

// Advance moves the count from a value to the next. Nobody else has the ledger open
// meanwhile.
func (c *Counter) Advance(from uint64) error {
	return c.with(func(tpm transport.TPM) error {
		value, err := c.counter.Read(tpm)
		if err != nil {
			return err
		}
		if value != from {
			return fmt.Errorf("the counter at %s stands at %d", c.counter.Index, value)
		}
		return c.counter.Increment(tpm, nil)
	})
}

func (c *Counter) with(f func(transport.TPM) error) error {
	tpm, err := c.Open()
	if err != nil {
		return err
	}
	return errors.Join(f(tpm), tpm.Close())
}
