package manufacture

import (
	"bytes"
	"crypto"
	"errors"
	"fmt"

	"github.com/google/go-tpm/tpm2"
	"github.com/google/go-tpm/tpm2/transport"
)

// key is a primary key, loaded.
type key struct {
	handle tpm2.TPMHandle
	name   tpm2.TPM2BName
	public crypto.PublicKey
}

func createPrimary(tpm transport.TPM, it item) (key, error) {
	rsp, err := tpm2.CreatePrimary{
		PrimaryHandle: empty(it.hierarchy),
		InPublic:      tpm2.New2B(it.template),
	}.Execute(tpm)
	if errors.Is(err, tpm2.TPMRCValue) || errors.Is(err, tpm2.TPMRCCurve) {
		return key{}, fmt.Errorf("create it: the TPM does not have keys of this size or curve: %w", err)
	}
	if err != nil {
		return key{}, fmt.Errorf("create it: %w", err)
	}
	k := key{handle: rsp.ObjectHandle, name: rsp.Name}
	public, err := rsp.OutPublic.Contents()
	if err == nil {
		k.public, err = tpm2.Pub(*public)
	}
	if err != nil {
		k.flush(tpm)
		return key{}, fmt.Errorf("read its public area: %w", err)
	}
	return k, nil
}

// empty is a handle authorized with the empty value.
func empty(h tpm2.TPMHandle) tpm2.AuthHandle {
	return tpm2.AuthHandle{Handle: h, Auth: tpm2.PasswordAuth(nil)}
}

// persist makes the key persistent, unless it is.
func (k key) persist(tpm transport.TPM, h Handle) error {
	there, err := tpm2.ReadPublic{ObjectHandle: tpm2.TPMHandle(h)}.Execute(tpm)
	switch {
	case errors.Is(err, tpm2.TPMRCHandle):
	case err != nil:
		return fmt.Errorf("look for a key at %v: %w", h, err)
	case bytes.Equal(there.Name.Buffer, k.name.Buffer):
		return nil
	default:
		return fmt.Errorf("there is another key at %v, with Name %x: it is not replaced", h, there.Name.Buffer)
	}
	_, err = tpm2.EvictControl{
		Auth:             empty(tpm2.TPMRHOwner),
		ObjectHandle:     tpm2.NamedHandle{Handle: k.handle, Name: k.name},
		PersistentHandle: tpm2.TPMHandle(h),
	}.Execute(tpm)
	if err != nil {
		return fmt.Errorf("make it persistent at %v: %w", h, err)
	}
	return nil
}

// flush frees the slot. An error has no remedy, and would hide the caller's.
func (k key) flush(tpm transport.TPM) {
	_, _ = tpm2.FlushContext{FlushHandle: k.handle}.Execute(tpm)
}
