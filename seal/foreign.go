package seal

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/bootseal/bootseal/pcr"
	"github.com/bootseal/bootseal/seal/pcrsig"
	"github.com/google/go-tpm/tpm2"
	"github.com/google/go-tpm/tpm2/transport"
)

// Foreign is what another program has sealed, in the terms of its token: systemd's of any
// release, or clevis's. The token does not say which PCR values it is for: it opens for
// the PCRs as they are, or not at all.
type Foreign struct {
	// Parent without a Name is taken as it is: tokens of systemd before 255 and of clevis
	// pin no key. That trusts the TPM that answers, once.
	Parent Parent
	// Objects are one, or two whose contents one behind the other are the secret.
	Objects []Object
	Bank    pcr.Bank
	PCRs    pcr.Selection // of the literal TPM2_PolicyPCR
	Signed  *Signed       // nil without a public key; ZeroExponent is found out
	PCRLock *PCRLock      // nil without
	PIN     bool
	PINSalt []byte
}

// OpenForeign returns the secret. The PIN is used when the rest of the policy leads to the
// object's, and otherwise costs no dictionary attack try. The caller zeroes the secret.
//
// Typed errors, each a [Remedier]: as [Unseal]'s, and [*UnmetError].
func OpenForeign(tpm transport.TPM, f Foreign, pin []byte, signatures ...pcrsig.File) ([]byte, error) {
	tpm = withPatience(tpm)
	if len(f.Objects) == 0 || len(f.Objects) > 2 {
		return nil, fmt.Errorf("unseal: %d objects: want 1 or 2", len(f.Objects))
	}
	k, err := openParent(tpm, f.Parent, nil)
	if err != nil {
		return nil, fmt.Errorf("unseal: %w", err)
	}
	defer k.close(tpm)
	var secret []byte
	for _, o := range f.Objects {
		part, err := f.openPatiently(tpm, k, o, pin, signatures)
		if err != nil {
			clear(secret)
			return nil, fmt.Errorf("unseal: %w", withLockout(tpm, err))
		}
		joined := append(append(make([]byte, 0, len(secret)+len(part)), secret...), part...)
		clear(secret)
		clear(part)
		secret = joined
	}
	return secret, nil
}

// openPatiently opens an object, again where a PCR changed meanwhile.
func (f *Foreign) openPatiently(tpm transport.TPM, k *key, o Object, pin []byte, signatures []pcrsig.File) (part []byte, err error) {
	const attempts = 3
	for range attempts {
		part, err = f.open(tpm, k, o, pin, signatures)
		var refused *PolicyError
		if !errors.As(err, &refused) {
			break
		}
	}
	return part, err
}

func (f *Foreign) open(tpm transport.TPM, k *key, o Object, pin []byte, signatures []pcrsig.File) ([]byte, error) {
	obj, err := o.load(tpm, k)
	if err != nil {
		return nil, err
	}
	defer flush(tpm, obj.handle)
	if len(obj.public.AuthPolicy.Buffer) == 0 && obj.public.ObjectAttributes.UserWithAuth {
		return f.openFreely(tpm, k, obj)
	}
	var missing error
	for _, way := range f.ways() {
		secret, fits, err := f.try(tpm, k, obj, way, pin, signatures)
		if fits {
			return secret, err
		}
		if missing == nil {
			missing = err // what it lacks; the next way may not
		}
	}
	if missing == nil {
		missing = &UnmetError{Bank: f.Bank, PCRs: f.PCRs}
	}
	return nil, missing
}

// openFreely opens an object without a policy, as clevis makes them without PCRs.
func (f *Foreign) openFreely(tpm transport.TPM, k, obj *key) ([]byte, error) {
	session, err := startSession(tpm, tpm2.TPMSEHMAC, k, nil)
	if err != nil {
		return nil, err
	}
	defer session.close(tpm)
	return obj.unseal(tpm, session)
}

func (k *key) unseal(tpm transport.TPM, s *session) ([]byte, error) {
	rsp, err := tpm2.Unseal{ItemHandle: k.authorize(s.encryptOut().last())}.Execute(tpm)
	if err != nil {
		return nil, explain("open the sealed object", err)
	}
	return rsp.OutData.Buffer, nil
}

// way is a policy that an object may have: of two, each has a part of what the token says.
type way struct {
	signed  *Signed
	pcrLock *PCRLock
	pin     bool
}

func (f *Foreign) ways() []way {
	var ways []way
	if f.Signed != nil {
		literal, zero := *f.Signed, *f.Signed
		literal.ZeroExponent, zero.ZeroExponent = false, true
		ways = append(ways, way{signed: &literal, pin: f.PIN}, way{signed: &zero, pin: f.PIN})
	}
	if f.PCRLock != nil {
		ways = append(ways, way{pcrLock: f.PCRLock, pin: f.PIN})
	}
	if len(ways) == 0 {
		return []way{{pin: f.PIN}}
	}
	if f.PIN && len(f.Objects) > 1 {
		for _, w := range ways {
			w.pin = false
			ways = append(ways, w)
		}
	}
	return ways
}

// try satisfies a policy in a session, and opens the object if it fits, that is, if the
// session's digest is the object's policy.
func (f *Foreign) try(tpm transport.TPM, k, obj *key, w way, pin []byte, signatures []pcrsig.File) (secret []byte, fits bool, err error) {
	var auth []byte
	if w.pin {
		if auth, err = pinAuth(pin, f.PINSalt); err != nil {
			return nil, false, err
		}
		defer clear(auth)
	}
	session, err := startHashSession(tpm, obj.public.NameAlg, tpm2.TPMSEPolicy, k, auth)
	if err != nil {
		return nil, false, err
	}
	defer session.close(tpm)
	if err := f.satisfy(tpm, session.handle, w, signatures); err != nil {
		return nil, false, err
	}
	have, err := policyDigest(tpm, session.handle)
	if err != nil || !bytes.Equal(have, obj.public.AuthPolicy.Buffer) {
		return nil, false, err
	}
	if w.pin && len(pin) == 0 {
		return nil, true, ErrPINRequired
	}
	secret, err = obj.unseal(tpm, session)
	return secret, true, err
}

func (f *Foreign) satisfy(tpm transport.TPM, session tpm2.TPMHandle, w way, signatures []pcrsig.File) error {
	if w.signed != nil {
		values, err := ReadPCRs(tpm, pcr.BankSelection{Bank: f.Bank, PCRs: w.signed.PCRs})
		if err != nil {
			return err
		}
		a, err := w.signed.approve(tpm, f.Bank, values, signatures)
		if err != nil {
			return err
		}
		if err := w.signed.satisfy(tpm, session, f.Bank, a); err != nil {
			return err
		}
	}
	if w.pcrLock != nil {
		if err := w.pcrLock.satisfy(tpm, session); err != nil {
			return err
		}
	}
	if f.PCRs != 0 {
		// Without a digest the TPM takes the PCRs as they are.
		_, err := tpm2.PolicyPCR{
			PolicySession: session,
			Pcrs:          selectionList(pcr.BankSelection{Bank: f.Bank, PCRs: f.PCRs}),
		}.Execute(tpm)
		if err != nil {
			return explain(fmt.Sprintf("satisfy PCRs %s", f.PCRs), err)
		}
	}
	if w.pin {
		if _, err := (tpm2.PolicyAuthValue{PolicySession: session}).Execute(tpm); err != nil {
			return explain("ask for the PIN", err)
		}
	}
	return nil
}
