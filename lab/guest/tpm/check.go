//go:build linux

package main

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"errors"
	"fmt"
	"math/big"

	"github.com/google/go-tpm/tpm2"
	"github.com/google/go-tpm/tpm2/transport"
)

// check uses all that is held, says what is not as it was, and holds it again.
func (h *held) check(t transport.TPM) error {
	if h == nil {
		return errors.New("nothing is held")
	}
	for _, part := range []struct {
		what string
		f    func(transport.TPM) error
	}{
		{"the chain of extends", h.checkChain},
		{"the clock", h.checkClock},
		{"lockout", h.checkLockout},
		{"the key", func(t transport.TPM) error { return verifySigned(t, h.key, h.public) }},
		{"the salted session with encryption", func(t transport.TPM) error { return unseal(t, h.sealed, h.session) }},
		{"the policy session", h.checkPolicy},
		{"the hash in progress", h.checkSequence},
		{"the saved contexts", h.checkContexts},
		{"the counter", h.checkCounter},
	} {
		if err := part.f(t); err != nil {
			return fmt.Errorf("%s: %w", part.what, err)
		}
	}
	return h.again(t)
}

func (h *held) checkClock(t transport.TPM) error {
	r, err := tpm2.ReadClock{}.Execute(t)
	if err != nil {
		return err
	}
	now := r.CurrentTime.ClockInfo
	if now.ResetCount != h.clock.ResetCount || now.RestartCount != h.clock.RestartCount || now.Safe != h.clock.Safe {
		return fmt.Errorf("resets %d, restarts %d, safe %v; before %d, %d, %v", now.ResetCount, now.RestartCount, now.Safe,
			h.clock.ResetCount, h.clock.RestartCount, h.clock.Safe)
	}
	if now.Clock < h.clock.Clock {
		return fmt.Errorf("it went back from %d to %d ms", h.clock.Clock, now.Clock)
	}
	h.clock = now
	return nil
}

func (h *held) checkLockout(t transport.TPM) error {
	n, err := lockoutCounter(t)
	if err == nil && n != h.failures {
		err = fmt.Errorf("%d failed authorizations are counted, and there were %d", n, h.failures)
	}
	return err
}

// verifySigned has a key sign, and verifies that here.
func verifySigned(t transport.TPM, key tpm2.NamedHandle, public *tpm2.TPMTPublic) error {
	digest := sha256.Sum256(secret)
	r, err := tpm2.Sign{KeyHandle: password(key, nil), Digest: tpm2.TPM2BDigest{Buffer: digest[:]}, InScheme: tpm2.TPMTSigScheme{Scheme: tpm2.TPMAlgNull},
		Validation: tpm2.TPMTTKHashCheck{Tag: tpm2.TPMSTHashCheck, Hierarchy: tpm2.TPMRHNull}}.Execute(t)
	if err != nil {
		return err
	}
	signature, err := r.Signature.Signature.ECDSA()
	if err != nil {
		return err
	}
	point, err := public.Unique.ECC()
	if err != nil {
		return err
	}
	encoded := append([]byte{4}, make([]byte, 64)...)
	new(big.Int).SetBytes(point.X.Buffer).FillBytes(encoded[1:33])
	new(big.Int).SetBytes(point.Y.Buffer).FillBytes(encoded[33:])
	verifier, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), encoded)
	if err != nil {
		return err
	}
	if !ecdsa.Verify(verifier, digest[:], new(big.Int).SetBytes(signature.SignatureR.Buffer), new(big.Int).SetBytes(signature.SignatureS.Buffer)) {
		return errors.New("its signature is wrong")
	}
	return nil
}

func unseal(t transport.TPM, object tpm2.NamedHandle, session tpm2.Session) error {
	r, err := tpm2.Unseal{ItemHandle: tpm2.AuthHandle{Handle: object.Handle, Name: object.Name, Auth: session}}.Execute(t)
	if err == nil && !bytes.Equal(r.OutData.Buffer, secret) {
		err = errors.New("something else was sealed")
	}
	return err
}

// checkPolicy takes what was asserted before the move as the authorization, which the TPM forgets
// then.
func (h *held) checkPolicy(t transport.TPM) error {
	r, err := tpm2.PolicyGetDigest{PolicySession: h.policy.Handle()}.Execute(t)
	if err != nil {
		return err
	}
	if !bytes.Equal(r.PolicyDigest.Buffer, h.digest) {
		return errors.New("its digest is another one")
	}
	if err := unseal(t, h.bound, h.policy); err != nil {
		return err
	}
	return h.assert(t)
}

func (h *held) checkSequence(t transport.TPM) error {
	const rest = "and the second"
	r, err := tpm2.SequenceComplete{SequenceHandle: tpm2.AuthHandle{Handle: h.sequence, Auth: tpm2.PasswordAuth(nil)},
		Buffer: tpm2.TPM2BMaxBuffer{Buffer: []byte(rest)}, Hierarchy: tpm2.TPMRHNull}.Execute(t)
	if err != nil {
		return err
	}
	if want := sha256.Sum256([]byte(half + rest)); !bytes.Equal(r.Result.Buffer, want[:]) {
		return errors.New("it is of something else")
	}
	return nil
}

func (h *held) checkContexts(t transport.TPM) error {
	key, err := tpm2.ContextLoad{Context: h.savedKey}.Execute(t)
	if err != nil {
		return fmt.Errorf("load the key: %w", err)
	}
	if err := verifySigned(t, tpm2.NamedHandle{Handle: key.LoadedHandle, Name: h.key.Name}, h.public); err != nil {
		return fmt.Errorf("the key: %w", err)
	}
	if _, err := (tpm2.FlushContext{FlushHandle: key.LoadedHandle}).Execute(t); err != nil {
		return err
	}
	if _, err := (tpm2.ContextLoad{Context: h.savedSession}).Execute(t); err != nil {
		return fmt.Errorf("load the session: %w", err)
	}
	if err := unseal(t, h.sealed, h.saved); err != nil {
		return fmt.Errorf("the session: %w", err)
	}
	return nil
}

func (h *held) checkCounter(t transport.TPM) error {
	n, err := increment(t)
	if err == nil && n != h.count+1 {
		err = fmt.Errorf("it stands at %d after %d", n, h.count)
	}
	h.count = n
	return err
}
