package seal

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/bootseal/bootseal/seal/pcrsig"
	"github.com/google/go-tpm/tpm2"
	"github.com/google/go-tpm/tpm2/transport"
)

// Options are the inputs of [Seal].
type Options struct {
	Secret []byte // 1 to MaxSecret bytes; neither changed nor kept
	Policy Policy
	PIN    []byte // given exactly if Policy.PIN is set; neither changed nor kept
	// Parent is the storage key to seal under. The zero value stands for the
	// storage root key at SRKHandle, created if it is missing; without a Name the
	// key is taken as it is, and pinned from then on.
	Parent Parent
	// OwnerAuth is the owner hierarchy's authValue, needed only to create the
	// storage root key or that of a template, and empty on most machines.
	OwnerAuth []byte
	// UnsaltedPIN derives the PIN as systemd 252 does.
	UnsaltedPIN bool
}

// Seal seals a secret. Before it returns it loads the new object and compares its
// policy, in a trial session on the TPM, with what was asked for.
//
// The secret crosses the bus encrypted. Errors: a [*ParentError] where the parent
// is not the pinned one, and what is wrong with the options otherwise.
func Seal(tpm transport.TPM, o Options) (*Sealed, error) {
	tpm = withPatience(tpm)
	if err := o.check(); err != nil {
		return nil, fmt.Errorf("seal: %w", err)
	}
	authPolicy, err := Digest(o.Policy)
	if err != nil {
		return nil, fmt.Errorf("seal: %w", err)
	}
	k, err := o.openParent(tpm)
	if err != nil {
		return nil, fmt.Errorf("seal: %w", err)
	}
	defer k.close(tpm)
	s := &Sealed{Version: sealedVersion, Parent: k.parent(), Policy: o.Policy}
	if o.Policy.PIN && !o.UnsaltedPIN {
		s.PINSalt = newPINSalt()
	}
	if err := s.create(tpm, k, o, authPolicy); err != nil {
		return nil, fmt.Errorf("seal: %w", err)
	}
	if err := s.verify(tpm, k); err != nil {
		return nil, fmt.Errorf("seal: check the new object: %w", err)
	}
	return s, nil
}

func (o Options) check() error {
	switch {
	case len(o.Secret) == 0:
		return errors.New("the secret is empty")
	case len(o.Secret) > MaxSecret:
		return fmt.Errorf("the secret has %d bytes: a TPM takes at most %d", len(o.Secret), MaxSecret)
	case o.Policy.PIN && len(o.PIN) == 0:
		return ErrPINRequired
	case !o.Policy.PIN && len(o.PIN) != 0:
		return errors.New("a PIN was given, but the policy asks for none")
	}
	return nil
}

func (o Options) openParent(tpm transport.TPM) (*key, error) {
	p := o.Parent
	if p.Handle == 0 && p.Template == "" && len(p.Name) == 0 {
		srk, _, err := EnsureSRK(tpm, o.OwnerAuth)
		if err != nil {
			return nil, err
		}
		p = srk
	}
	return openParent(tpm, p, o.OwnerAuth)
}

// create makes the object under the parent.
func (s *Sealed) create(tpm transport.TPM, k *key, o Options, authPolicy []byte) error {
	var auth []byte
	if o.Policy.PIN {
		var err error
		if auth, err = pinAuth(o.PIN, s.PINSalt); err != nil {
			return err
		}
		defer clear(auth)
	}
	session, err := startSession(tpm, tpm2.TPMSEHMAC, k, nil)
	if err != nil {
		return err
	}
	defer session.close(tpm)
	template := sealedTemplate(authPolicy, o.Policy.PIN)
	rsp, err := tpm2.Create{
		ParentHandle: k.authorize(session.encryptIn().last()),
		InSensitive: tpm2.TPM2BSensitiveCreate{Sensitive: &tpm2.TPMSSensitiveCreate{
			UserAuth: tpm2.TPM2BAuth{Buffer: auth},
			Data:     tpm2.NewTPMUSensitiveCreate(&tpm2.TPM2BSensitiveData{Buffer: o.Secret}),
		}},
		InPublic: tpm2.New2B(template),
	}.Execute(tpm)
	if err != nil {
		return explainParent("create the sealed object", err)
	}
	made, err := rsp.OutPublic.Contents()
	if err != nil {
		return fmt.Errorf("parse the sealed object: %w", err)
	}
	if !sameObject(template, *made) {
		return errors.New("the TPM made another object than it was asked for")
	}
	s.Public = tpm2.Marshal(made)
	s.Private = rsp.OutPrivate.Buffer
	return nil
}

// verify loads the object as Unseal will, and has the TPM compute each branch's
// policy digest.
func (s *Sealed) verify(tpm transport.TPM, k *key) error {
	if err := s.Check(); err != nil {
		return err
	}
	obj, err := s.load(tpm, k)
	if err != nil {
		return err
	}
	flush(tpm, obj.handle)
	want, err := Digest(s.Policy)
	if err != nil {
		return err
	}
	for n := range s.Policy.Branches {
		have, err := trialDigest(tpm, s.Policy, n)
		if err != nil {
			return err
		}
		if !bytes.Equal(have, want) {
			return fmt.Errorf("branch %d: the TPM computes policy digest %x: want %x", n+1, have, want)
		}
	}
	return nil
}

// trialDigest has the TPM compute what Digest computes, by way of one branch.
func trialDigest(tpm transport.TPM, p Policy, branch int) ([]byte, error) {
	trial, err := startSession(tpm, tpm2.TPMSETrial, nil, nil)
	if err != nil {
		return nil, err
	}
	defer trial.close(tpm)
	if err := Satisfy(tpm, trial.handle, p, branch); err != nil {
		return nil, err
	}
	return policyDigest(tpm, trial.handle)
}

func policyDigest(tpm transport.TPM, session tpm2.TPMHandle) ([]byte, error) {
	rsp, err := tpm2.PolicyGetDigest{PolicySession: session}.Execute(tpm)
	if err != nil {
		return nil, fmt.Errorf("read the session's policy digest: %w", err)
	}
	return rsp.PolicyDigest.Buffer, nil
}

// Reseal opens s and seals its secret again under another policy, with the same
// parent and the same PIN (which is needed only where one of the policies asks for
// it). The signatures are for opening s. s stays valid: to open both today's boot and the
// next one, add a branch:
//
//	next, err := seal.Reseal(tpm, s, pin, s.Policy.With(predicted))
func Reseal(tpm transport.TPM, s *Sealed, pin []byte, p Policy, signatures ...pcrsig.File) (*Sealed, error) {
	secret, err := Unseal(tpm, s, pin, signatures...)
	if err != nil {
		return nil, fmt.Errorf("reseal: %w", err)
	}
	defer clear(secret)
	o := Options{
		Secret:      secret,
		Policy:      p,
		Parent:      s.Parent,
		UnsaltedPIN: s.Policy.PIN && len(s.PINSalt) == 0,
	}
	if p.PIN {
		o.PIN = pin
	}
	next, err := Seal(tpm, o)
	if err != nil {
		return nil, fmt.Errorf("reseal: %w", err)
	}
	return next, nil
}
