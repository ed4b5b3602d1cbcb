package seal

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/google/go-tpm/tpm2"
	"github.com/google/go-tpm/tpm2/transport"
)

const counterSize = 8 // bytes

// Counter is an NV index that only counts up. One that is removed and made again goes on
// with a higher count than any counter of that TPM ever had (Part 3, "TPM2_NV_Increment"),
// so there is no way back.
type Counter struct {
	Index Handle
	// Name pins the index as it is once it was written. It is not compared if it is
	// empty.
	Name Name
	// Auth is the index's authValue, which who reads or moves the counter must know.
	// Without one everybody reads it, and the owner moves it.
	Auth []byte
	// Salt is a storage key that sessions are salted to. Without it only Auth vouches
	// for what the TPM answers.
	Salt Parent
}

// Ranges of NV indices for counters, in that for owners (TCG Registry of Reserved TPM 2.0
// Handles, section 2.2.2); nothing common uses them.
var (
	stateCounters = [2]Handle{0x0180B540, 0x0180B57F} // of those with an authValue
	guardCounters = [2]Handle{0x0180B580, 0x0180B5BF} // of those without
)

// DefineCounter makes a counter in a free NV index and moves it once, so that it can be
// read. It needs the owner hierarchy's authValue, empty on most machines. The authValue
// goes to the TPM encrypted; salt must be a key of this TPM.
func DefineCounter(tpm transport.TPM, salt Parent, auth, ownerAuth []byte) (Counter, error) {
	tpm = withPatience(tpm)
	c := Counter{Auth: bytes.Clone(auth), Salt: salt}
	if err := salt.check(); err != nil { // without one the authValue would cross the bus in clear
		return Counter{}, fmt.Errorf("define a counter: %w", err)
	}
	indices := guardCounters
	if len(auth) > 0 {
		indices = stateCounters
	}
	var err error
	for c.Index = indices[0]; c.Index <= indices[1]; c.Index++ {
		if err = c.define(tpm, ownerAuth); !errors.Is(err, tpm2.TPMRCNVDefined) {
			break
		}
	}
	switch {
	case errors.Is(err, tpm2.TPMRCNVDefined):
		return Counter{}, fmt.Errorf("define a counter: the NV indices %s to %s are all in use", indices[0], indices[1])
	case errors.Is(err, tpm2.TPMRCNVSpace):
		return Counter{}, fmt.Errorf("define a counter: the TPM has no room for another one: %w", err)
	case err != nil:
		return Counter{}, fmt.Errorf("define a counter: %w", explainOwner(err))
	}
	if err = c.Increment(tpm, ownerAuth); err == nil {
		c.Name, err = c.written(tpm)
	}
	if err != nil {
		// A second try would take another index.
		return Counter{}, errors.Join(fmt.Errorf("define a counter: %w", err), c.Remove(tpm, ownerAuth))
	}
	return c, nil
}

// attributes are those of an index that was not written yet.
func (c *Counter) attributes() tpm2.TPMANV {
	owned := len(c.Auth) == 0
	return tpm2.TPMANV{AuthRead: true, OwnerRead: true, AuthWrite: !owned, OwnerWrite: owned, NoDA: true, NT: tpm2.TPMNTCounter}
}

func (c *Counter) define(tpm transport.TPM, ownerAuth []byte) error {
	return c.inSession(tpm, ownerAuth, func(s *session) error {
		_, err := tpm2.NVDefineSpace{
			AuthHandle: tpm2.AuthHandle{Handle: tpm2.TPMRHOwner, Auth: s.encryptIn()},
			Auth:       tpm2.TPM2BAuth{Buffer: c.Auth},
			PublicInfo: tpm2.New2B(tpm2.TPMSNVPublic{
				NVIndex: tpm2.TPMHandle(c.Index), NameAlg: policyHash, Attributes: c.attributes(), DataSize: counterSize,
			}),
		}.Execute(tpm)
		return err
	})
}

// inSession runs f with a session for one command, which authorizes with an authValue.
func (c *Counter) inSession(tpm transport.TPM, auth []byte, f func(*session) error) error {
	var k *key
	if c.Salt.Handle != 0 || c.Salt.Template != "" {
		var err error
		if k, err = openParent(tpm, c.Salt, nil); err != nil {
			return err
		}
		defer k.close(tpm)
	}
	s, err := startSession(tpm, tpm2.TPMSEHMAC, k, trimAuth(auth))
	if err != nil {
		return err
	}
	defer s.close(tpm)
	return f(s.last())
}

// Read returns the count.
func (c *Counter) Read(tpm transport.TPM) (uint64, error) {
	tpm = withPatience(tpm)
	index, err := c.public(tpm)
	if err != nil {
		return 0, c.explain("read", err)
	}
	var data []byte
	err = c.inSession(tpm, c.Auth, func(s *session) error {
		rsp, err := tpm2.NVRead{
			AuthHandle: tpm2.AuthHandle{Handle: index.Handle, Name: index.Name, Auth: s}, NVIndex: index, Size: counterSize,
		}.Execute(tpm)
		if err == nil {
			data = rsp.Data.Buffer
		}
		return err
	})
	if err != nil {
		return 0, c.explain("read", err)
	}
	if len(data) != counterSize {
		return 0, fmt.Errorf("read the counter at %s: it has %d bytes", c.Index, len(data))
	}
	return binary.BigEndian.Uint64(data), nil
}

// Increment moves the count by one. The owner's authValue is for counters without one of
// their own.
func (c *Counter) Increment(tpm transport.TPM, ownerAuth []byte) error {
	tpm = withPatience(tpm)
	index, err := c.public(tpm)
	if err != nil {
		return c.explain("move", err)
	}
	by, auth := tpm2.AuthHandle{Handle: index.Handle, Name: index.Name}, c.Auth
	if len(c.Auth) == 0 {
		by, auth = tpm2.AuthHandle{Handle: tpm2.TPMRHOwner}, ownerAuth
	}
	err = c.inSession(tpm, auth, func(s *session) error {
		by.Auth = s
		_, err := tpm2.NVIncrement{AuthHandle: by, NVIndex: index}.Execute(tpm)
		return err
	})
	if err != nil {
		return c.explain("move", err)
	}
	return nil
}

// Remove removes the NV index.
func (c *Counter) Remove(tpm transport.TPM, ownerAuth []byte) error {
	tpm = withPatience(tpm)
	index, err := c.public(tpm)
	if err != nil {
		return c.explain("remove", err)
	}
	err = c.inSession(tpm, ownerAuth, func(s *session) error {
		_, err := tpm2.NVUndefineSpace{AuthHandle: tpm2.AuthHandle{Handle: tpm2.TPMRHOwner, Auth: s}, NVIndex: index}.Execute(tpm)
		return explainOwner(err)
	})
	if err != nil {
		return c.explain("remove", err)
	}
	return nil
}

// public returns the index with its Name, as it is. That it is a counter is the TPM's word
// only until a command with an authorization has succeeded: the HMAC covers the Name,
// which has the attributes.
func (c *Counter) public(tpm transport.TPM) (tpm2.NamedHandle, error) {
	public, name, err := c.readPublic(tpm)
	if err != nil {
		return tpm2.NamedHandle{}, err
	}
	if public.Attributes.NT != tpm2.TPMNTCounter || public.NVIndex != tpm2.TPMHandle(c.Index) {
		return tpm2.NamedHandle{}, errors.New("it is no counter")
	}
	if len(c.Name) != 0 && !bytes.Equal(name, c.Name) {
		return tpm2.NamedHandle{}, fmt.Errorf("its Name is %s: want %s", name, c.Name)
	}
	return tpm2.NamedHandle{Handle: public.NVIndex, Name: tpm2.TPM2BName{Buffer: name}}, nil
}

func (c *Counter) readPublic(tpm transport.TPM) (*tpm2.TPMSNVPublic, Name, error) {
	rsp, err := tpm2.NVReadPublic{NVIndex: tpm2.TPMHandle(c.Index)}.Execute(tpm)
	if err != nil {
		return nil, nil, err
	}
	public, err := rsp.NVPublic.Contents()
	if err != nil {
		return nil, nil, err
	}
	name, err := tpm2.NVName(public)
	if err != nil {
		return nil, nil, err
	}
	return public, name.Buffer, nil
}

// written returns the Name of a new counter, which must be what was asked for.
func (c *Counter) written(tpm transport.TPM) (Name, error) {
	public, name, err := c.readPublic(tpm)
	if err != nil {
		return nil, c.explain("read", err)
	}
	want := c.attributes()
	want.Written = true
	if public.Attributes != want || public.DataSize != counterSize || len(public.AuthPolicy.Buffer) != 0 {
		return nil, fmt.Errorf("the TPM made another index at %s than it was asked for", c.Index)
	}
	return name, nil
}

func (c *Counter) explain(doing string, err error) error {
	switch {
	case errors.Is(err, tpm2.TPMRCHandle):
		err = fmt.Errorf("the TPM has no such NV index: it was cleared, or is another one: %w", err)
	case errors.Is(err, tpm2.TPMRCAuthFail), errors.Is(err, tpm2.TPMRCBadAuth):
		err = fmt.Errorf("it was made with another password: %w", err)
	case errors.Is(err, tpm2.TPMRCNVUninitialized):
		err = fmt.Errorf("the NV index was made anew: %w", err)
	}
	return fmt.Errorf("%s the counter at %s: %w", doing, c.Index, err)
}
