package hosttpm

import (
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"

	"github.com/bootseal/bootseal/seal"
	"github.com/bootseal/bootseal/vtpm/store"
	"github.com/google/go-tpm/tpm2"
	"github.com/google/go-tpm/tpm2/transport"
)

// The NV indices that are tried for a new counter: of the range for owners (TCG
// Registry of Reserved TPM 2.0 Handles, section 2.2.2), one that nothing common uses.
const (
	firstIndex = 0x0180B540
	lastIndex  = 0x0180B57F
)

// Counter is a counter in an NV index of a TPM, for a store.Ledger. An index that is
// removed and made again goes on with a higher count than any counter of that TPM ever
// had (Part 3, "TPM2_NV_Increment"), so there is no way back.
//
// Who reads or moves it must know the key: the index's authValue derives from it, and
// the TPM's answers are authenticated by it.
type Counter struct {
	// Open opens the TPM, for one read or move.
	Open  func() (transport.TPMCloser, error)
	index tpm2.TPMHandle
	auth  []byte
}

var _ store.Counter = (*Counter)(nil)

// NewCounter returns the counter of a key that has one.
func NewCounter(k Key, open func() (transport.TPMCloser, error)) (*Counter, error) {
	auth, err := counterAuth(k.Key)
	if err != nil {
		return nil, err
	}
	return &Counter{Open: open, index: tpm2.TPMHandle(k.Counter), auth: auth}, nil
}

// counterAuth derives the index's authValue: 32 hexadecimal digits, since go-tpm cuts
// one at a zero byte.
func counterAuth(key []byte) ([]byte, error) {
	auth, err := hkdf.Key(sha256.New, key, nil, "bootseal vTPM state counter", 16)
	if err != nil {
		return nil, err
	}
	return hex.AppendEncode(nil, auth), nil
}

var counterAttributes = tpm2.TPMANV{AuthRead: true, AuthWrite: true, OwnerRead: true, NoDA: true, NT: tpm2.TPMNTCounter}

// DefineCounter makes a counter for the key in a free NV index, and moves it once, so
// that it can be read. It needs the owner hierarchy's authValue, empty on most machines.
func DefineCounter(tpm transport.TPM, key, ownerAuth []byte) (seal.Handle, error) {
	c, err := NewCounter(Key{Key: key}, nil)
	if err != nil {
		return 0, err
	}
	for c.index = firstIndex; c.index <= lastIndex; c.index++ {
		if err = c.define(tpm, ownerAuth); !errors.Is(err, tpm2.TPMRCNVDefined) {
			break
		}
	}
	switch {
	case errors.Is(err, tpm2.TPMRCNVDefined):
		return 0, fmt.Errorf("define a counter: the NV indices 0x%08x to 0x%08x are all in use", firstIndex, lastIndex)
	case errors.Is(err, tpm2.TPMRCNVSpace):
		return 0, fmt.Errorf("define a counter: the TPM has no room for another one: %w", err)
	case err != nil:
		return 0, fmt.Errorf("define a counter: %w", err)
	}
	if err := c.increment(tpm); err != nil {
		return 0, fmt.Errorf("define a counter: %w", err)
	}
	return seal.Handle(c.index), nil
}

func (c *Counter) define(tpm transport.TPM, ownerAuth []byte) error {
	srk, _, err := seal.EnsureSRK(tpm, ownerAuth)
	if err != nil {
		return err
	}
	public, err := tpm2.Unmarshal[tpm2.TPMTPublic](srk.Public)
	if err != nil {
		return err
	}
	owner := tpm2.HMAC(tpm2.TPMAlgSHA256, nonceSize, tpm2.Auth(ownerAuth),
		tpm2.Salted(tpm2.TPMHandle(srk.Handle), *public), tpm2.AESEncryption(128, tpm2.EncryptIn))
	_, err = tpm2.NVDefineSpace{
		AuthHandle: tpm2.AuthHandle{Handle: tpm2.TPMRHOwner, Auth: owner},
		Auth:       tpm2.TPM2BAuth{Buffer: c.auth},
		PublicInfo: tpm2.New2B(tpm2.TPMSNVPublic{
			NVIndex: c.index, NameAlg: tpm2.TPMAlgSHA256, Attributes: counterAttributes, DataSize: counterSize,
		}),
	}.Execute(tpm)
	return err
}

// RemoveCounter removes the NV index.
func RemoveCounter(tpm transport.TPM, index seal.Handle, ownerAuth []byte) error {
	public, err := tpm2.NVReadPublic{NVIndex: tpm2.TPMHandle(index)}.Execute(tpm)
	if err == nil {
		_, err = tpm2.NVUndefineSpace{
			AuthHandle: tpm2.AuthHandle{Handle: tpm2.TPMRHOwner, Auth: tpm2.HMAC(tpm2.TPMAlgSHA256, nonceSize, tpm2.Auth(ownerAuth))},
			NVIndex:    tpm2.NamedHandle{Handle: tpm2.TPMHandle(index), Name: public.NVName},
		}.Execute(tpm)
	}
	if err != nil {
		return fmt.Errorf("remove the counter at %v: %w", index, err)
	}
	return nil
}

// Read returns the count. A counter that exists is in use: the ledger was made with it.
func (c *Counter) Read() (count store.Count, err error) {
	err = c.with(func(tpm transport.TPM) error {
		count.Value, err = c.read(tpm)
		count.InUse = true
		return err
	})
	return count, err
}

// Advance moves the count from a value to the next. Nobody else has the ledger open
// meanwhile.
func (c *Counter) Advance(from uint64) error {
	return c.with(func(tpm transport.TPM) error {
		value, err := c.read(tpm)
		if err != nil {
			return err
		}
		if value != from {
			return fmt.Errorf("the counter at 0x%08x stands at %d", c.index, value)
		}
		return c.increment(tpm)
	})
}

func (c *Counter) with(f func(transport.TPM) error) error {
	tpm, err := c.Open()
	if err != nil {
		return err
	}
	return errors.Join(f(tpm), tpm.Close())
}

func (c *Counter) read(tpm transport.TPM) (uint64, error) {
	index, auth, err := c.handles(tpm)
	if err != nil {
		return 0, c.explain("read", err)
	}
	rsp, err := tpm2.NVRead{AuthHandle: auth, NVIndex: index, Size: counterSize}.Execute(tpm)
	if err != nil {
		return 0, c.explain("read", err)
	}
	if len(rsp.Data.Buffer) != counterSize {
		return 0, fmt.Errorf("the counter at 0x%08x has %d bytes", c.index, len(rsp.Data.Buffer))
	}
	return binary.BigEndian.Uint64(rsp.Data.Buffer), nil
}

func (c *Counter) increment(tpm transport.TPM) error {
	index, auth, err := c.handles(tpm)
	if err == nil {
		_, err = tpm2.NVIncrement{AuthHandle: auth, NVIndex: index}.Execute(tpm)
	}
	if err != nil {
		return c.explain("move", err)
	}
	return nil
}

// handles returns the index, and the index as what authorizes. That it is a counter is
// the TPM's word only until a command with the authorization has succeeded: the HMAC
// covers the Name, which has the attributes.
func (c *Counter) handles(tpm transport.TPM) (index tpm2.NamedHandle, auth tpm2.AuthHandle, err error) {
	rsp, err := tpm2.NVReadPublic{NVIndex: c.index}.Execute(tpm)
	if err != nil {
		return index, auth, err
	}
	public, err := rsp.NVPublic.Contents()
	if err != nil {
		return index, auth, err
	}
	if public.Attributes.NT != tpm2.TPMNTCounter || public.NVIndex != c.index {
		return index, auth, errors.New("it is no counter")
	}
	name, err := tpm2.NVName(public)
	if err != nil {
		return index, auth, err
	}
	session := tpm2.HMAC(tpm2.TPMAlgSHA256, nonceSize, tpm2.Auth(c.auth))
	return tpm2.NamedHandle{Handle: c.index, Name: *name}, tpm2.AuthHandle{Handle: c.index, Name: *name, Auth: session}, nil
}

const (
	counterSize = 8
	nonceSize   = 32
)

func (c *Counter) explain(doing string, err error) error {
	switch {
	case errors.Is(err, tpm2.TPMRCHandle):
		err = fmt.Errorf("the TPM has no such NV index: it was cleared, or is another one: %w", err)
	case errors.Is(err, tpm2.TPMRCAuthFail), errors.Is(err, tpm2.TPMRCBadAuth):
		err = fmt.Errorf("the NV index was made for another key: %w", err)
	case errors.Is(err, tpm2.TPMRCNVUninitialized):
		err = fmt.Errorf("the NV index was made anew: %w", err)
	}
	return fmt.Errorf("%s the counter at 0x%08x: %w", doing, c.index, err)
}
