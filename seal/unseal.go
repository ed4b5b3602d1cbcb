package seal

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/bootseal/bootseal/seal/pcrsig"
	"github.com/google/go-tpm/tpm2"
	"github.com/google/go-tpm/tpm2/transport"
)

// Unseal returns the secret of s if this boot is one that it was sealed for. The
// PIN is ignored where the policy asks for none, and so are signatures, among which
// one for the PCRs as they are is looked for. The caller zeroes the secret.
//
// Typed errors, each a [Remedier]: [*ParentError], [*MismatchError], [*SignatureError] and
// [*GuardError] (which cost no dictionary attack try), [*PolicyError], [*PINError],
// [*LockoutError], [*ForeignError]; and [ErrPINRequired].
func Unseal(tpm transport.TPM, s *Sealed, pin []byte, signatures ...pcrsig.File) ([]byte, error) {
	tpm = withPatience(tpm)
	if err := s.Check(); err != nil {
		return nil, fmt.Errorf("unseal: %w", err)
	}
	k, err := openParent(tpm, s.Parent, nil)
	if err != nil {
		return nil, fmt.Errorf("unseal: %w", err)
	}
	defer k.close(tpm)
	// A PCR may be extended between our look at it and the TPM's: look again, if
	// only to say which. A refused policy costs no dictionary attack try.
	const attempts = 3
	var secret []byte
	for range attempts {
		var refused *PolicyError
		secret, err = s.open(tpm, k, pin, signatures)
		if !errors.As(err, &refused) {
			break
		}
	}
	if err != nil {
		return nil, fmt.Errorf("unseal: %w", withLockout(tpm, err))
	}
	return secret, nil
}

// open tries once: choose the branch, load the object, satisfy the policy, and
// only when the session's policy digest is the object's, use the PIN.
func (s *Sealed) open(tpm transport.TPM, k *key, pin []byte, signatures []pcrsig.File) ([]byte, error) {
	sel := s.Policy.Selection()
	if s.Policy.Signed != nil {
		sel.PCRs = sel.PCRs.Union(s.Policy.Signed.PCRs)
	}
	values, err := ReadPCRs(tpm, sel)
	if err != nil {
		return nil, err
	}
	branch, err := s.Policy.Match(values)
	if err != nil {
		return nil, err
	}
	var approved *approval
	if s.Policy.Signed != nil {
		if approved, err = s.Policy.Signed.approve(tpm, s.Policy.Bank, values, signatures); err != nil {
			return nil, err
		}
	}
	var auth []byte
	if s.Policy.PIN {
		if len(pin) == 0 {
			if err := s.Policy.Guard.holds(tpm); err != nil {
				return nil, err
			}
			return nil, ErrPINRequired
		}
		if auth, err = pinAuth(pin, s.PINSalt); err != nil {
			return nil, err
		}
		defer clear(auth)
	}
	obj, err := s.load(tpm, k)
	if err != nil {
		return nil, err
	}
	defer flush(tpm, obj.handle)
	session, err := startSession(tpm, tpm2.TPMSEPolicy, k, auth)
	if err != nil {
		return nil, err
	}
	defer session.close(tpm)
	if err := s.Policy.satisfy(tpm, session.handle, branch, approved); err != nil {
		return nil, err
	}
	if s.Policy.PIN {
		if err := sameDigest(tpm, session, obj); err != nil {
			return nil, err
		}
	}
	return obj.unseal(tpm, session)
}

// sameDigest demands that a session's policy digest is the object's, so that no PIN is tried
// that cannot be right.
func sameDigest(tpm transport.TPM, s *session, obj *key) error {
	have, err := policyDigest(tpm, s.handle)
	if err != nil {
		return err
	}
	if want := obj.public.AuthPolicy.Buffer; !bytes.Equal(have, want) {
		return &PolicyError{Err: fmt.Errorf("the session's policy digest is %x: want %x", have, want)}
	}
	return nil
}

// load loads the object into the TPM. The caller flushes it.
func (s *Sealed) load(tpm transport.TPM, k *key) (*key, error) {
	return Object{Public: s.Public, Private: s.Private}.load(tpm, k)
}
