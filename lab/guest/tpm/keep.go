//go:build linux

package main

import (
	"encoding/hex"
	"fmt"

	"github.com/google/go-tpm/tpm2"
	"github.com/google/go-tpm/tpm2/transport"
)

// keyHandle is where keep leaves a key, by the owner's authorization.
const keyHandle = tpm2.TPMHandle(0x81000100)

// kept is what survives a machine's end. Names and blobs are in hexadecimal digits.
type kept struct {
	SRK     string `json:"srk"` // its Name, which says that the owner's seed is the same
	EK      string `json:"ek"`
	Key     string `json:"key"` // the Name of the persistent key
	Sealed  string `json:"sealed"`
	Private string `json:"private"`
	Counter uint64 `json:"counter"`
}

// keep makes a key persistent, seals, counts, and says what there is.
func keep(t transport.TPM) (*kept, error) {
	srk, _, err := createSRK(t)
	if err != nil {
		return nil, err
	}
	k := &kept{SRK: hex.EncodeToString(srk.Name.Buffer)}
	key, _, err := create(t, srk, signingKey(), nil, nil)
	if err != nil {
		return nil, fmt.Errorf("create a key: %w", err)
	}
	k.Key = hex.EncodeToString(key.Name.Buffer)
	if _, err := (tpm2.EvictControl{Auth: owner(), ObjectHandle: &key, PersistentHandle: keyHandle}).Execute(t); err != nil {
		return nil, fmt.Errorf("make the key persistent: %w", err)
	}
	if _, err := (tpm2.FlushContext{FlushHandle: key.Handle}).Execute(t); err != nil {
		return nil, err
	}
	made, err := tpm2.Create{ParentHandle: password(srk, nil), InPublic: tpm2.New2B(sealedObject(nil)),
		InSensitive: tpm2.TPM2BSensitiveCreate{Sensitive: &tpm2.TPMSSensitiveCreate{UserAuth: tpm2.TPM2BAuth{Buffer: keyAuth},
			Data: tpm2.NewTPMUSensitiveCreate(&tpm2.TPM2BSensitiveData{Buffer: secret})}}}.Execute(t)
	if err != nil {
		return nil, fmt.Errorf("seal: %w", err)
	}
	k.Sealed, k.Private = hex.EncodeToString(made.OutPublic.Bytes()), hex.EncodeToString(made.OutPrivate.Buffer)
	if k.Counter, err = increment(t); err != nil {
		return nil, err
	}
	if _, err := (tpm2.FlushContext{FlushHandle: srk.Handle}).Execute(t); err != nil {
		return nil, err
	}
	k.EK, err = ekName(t)
	return k, err
}

func ekName(t transport.TPM) (string, error) {
	r, err := tpm2.CreatePrimary{PrimaryHandle: tpm2.AuthHandle{Handle: tpm2.TPMRHEndorsement, Auth: tpm2.PasswordAuth(nil)},
		InPublic: tpm2.New2B(tpm2.ECCEKTemplate)}.Execute(t)
	if err != nil {
		return "", fmt.Errorf("create the EK: %w", err)
	}
	_, err = tpm2.FlushContext{FlushHandle: r.ObjectHandle}.Execute(t)
	return hex.EncodeToString(r.Name.Buffer), err
}

// check says what of it is not there.
func (k *kept) check(t transport.TPM) error {
	srk, _, err := createSRK(t)
	if err != nil {
		return err
	}
	ek, err := ekName(t)
	if err != nil {
		return err
	}
	if name := hex.EncodeToString(srk.Name.Buffer); name != k.SRK || ek != k.EK {
		return fmt.Errorf("SRK %s and EK %s, before %s and %s", name, ek, k.SRK, k.EK)
	}
	r, err := tpm2.ReadPublic{ObjectHandle: keyHandle}.Execute(t)
	if err != nil {
		return fmt.Errorf("read the persistent key: %w", err)
	}
	public, err := r.OutPublic.Contents()
	if err != nil {
		return err
	}
	if name := hex.EncodeToString(r.Name.Buffer); name != k.Key {
		return fmt.Errorf("the persistent key is %s, before %s", name, k.Key)
	}
	if err := verifySigned(t, tpm2.NamedHandle{Handle: keyHandle, Name: r.Name}, public); err != nil {
		return fmt.Errorf("the persistent key: %w", err)
	}
	if err := k.checkSealed(t, srk); err != nil {
		return fmt.Errorf("what was sealed: %w", err)
	}
	n, err := increment(t)
	if err == nil && n != k.Counter+1 {
		err = fmt.Errorf("the counter stands at %d after %d", n, k.Counter)
	}
	return err
}

func (k *kept) checkSealed(t transport.TPM, srk tpm2.NamedHandle) error {
	public, err := hex.DecodeString(k.Sealed)
	if err != nil {
		return err
	}
	private, err := hex.DecodeString(k.Private)
	if err != nil {
		return err
	}
	loaded, err := tpm2.Load{ParentHandle: password(srk, nil), InPrivate: tpm2.TPM2BPrivate{Buffer: private},
		InPublic: tpm2.BytesAs2B[tpm2.TPMTPublic](public)}.Execute(t)
	if err != nil {
		return fmt.Errorf("load it: %w", err)
	}
	return unseal(t, tpm2.NamedHandle{Handle: loaded.ObjectHandle, Name: loaded.Name}, tpm2.PasswordAuth(keyAuth))
}
