package seal_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/bootseal/bootseal/seal"
	"github.com/google/go-tpm/tpm2"
	"github.com/google/go-tpm/tpm2/transport"
)

// A primary key that is made each time does what the storage root key does, and
// leaves none of a TPM's three places taken.
func TestTransientParent(t *testing.T) {
	for _, template := range []seal.Template{seal.SystemdECC, seal.SystemdRSA, "clevis-ecc-sha1", "clevis-ecc-sha384"} {
		t.Run(string(template), func(t *testing.T) {
			tpm := open(t)
			parent, err := seal.MakeParent(tpm, nil, template)
			if err != nil {
				t.Fatal(err)
			}
			if parent.Template != template || parent.Handle != 0 || len(parent.Name) == 0 {
				t.Errorf("%+v", parent)
			}
			boot(t, tpm, "firmware", "kernel")
			p := policy(predicted(t, "", "firmware", "kernel"))
			p.PIN = true
			pin := []byte("1234")
			s := mustSeal(t, tpm, seal.Options{Policy: p, PIN: pin, Parent: parent})
			text, err := json.Marshal(s)
			if err != nil || !strings.Contains(string(text), `"parent":{"template":"`+string(template)+`","name":"`) {
				t.Errorf("%s, %v", text, err)
			}
			var back seal.Sealed
			if err := json.Unmarshal(text, &back); err != nil {
				t.Fatal(err)
			}
			mustOpen(t, tpm, &back, pin)
			next, err := seal.Reseal(tpm, s, pin, p.With(predicted(t, "", "firmware", "kernel 2")))
			if err != nil {
				t.Fatal(err)
			}
			if next.Parent.Template != template || !bytes.Equal(next.Parent.Name, parent.Name) {
				t.Errorf("resealed under %+v", next.Parent)
			}
			nothingLoaded(t, tpm)
			boot(t, tpm, "firmware", "another")
			if _, err := seal.Unseal(tpm, s, pin); err == nil {
				t.Error("another boot opens it")
			}
			nothingLoaded(t, tpm)
		})
	}
}

// The first template that the TPM can make, and no other.
func TestMakeParentChooses(t *testing.T) {
	tpm := open(t)
	p, err := seal.MakeParent(tpm, nil, seal.SystemdECC, seal.SystemdRSA)
	if err != nil || p.Template.Alg() != "ecc" {
		t.Errorf("%+v, %v", p, err)
	}
	noECC := withoutECC{tpm}
	p, err = seal.MakeParent(noECC, nil, seal.SystemdECC, seal.SystemdRSA)
	if err != nil || p.Template.Alg() != "rsa" {
		t.Errorf("%+v, %v", p, err)
	}
	srk, created, err := seal.EnsureSRK(noECC, nil)
	if err != nil || !created || !bytes.HasPrefix(srk.Public, []byte{0, 1}) {
		t.Errorf("%+v, %v", srk, err)
	}
	nothingLoaded(t, tpm)
	if _, err := seal.MakeParent(tpm, nil); err == nil {
		t.Error("no template makes a key")
	}
}

// withoutECC is a TPM that knows no curve.
type withoutECC struct{ transport.TPM }

func (w withoutECC) Send(command []byte) ([]byte, error) {
	// TPM_RC_CURVE + TPM_RC_P + TPM_RC_2, to a template that has TPM_ECC_NIST_P256.
	if bytes.HasPrefix(command[6:], []byte{0, 0, 1, 0x31}) && bytes.Contains(command, []byte{0, 0x43, 0, 0x10, 0, 3}) {
		return []byte{0x80, 0x01, 0, 0, 0, 10, 0, 0, 0x02, 0xE6}, nil
	}
	return w.TPM.Send(command)
}

// After TPM2_Clear the template gives another key: that is said, before anything is
// encrypted to it.
func TestTransientParentOfClearedTPM(t *testing.T) {
	tpm := open(t)
	s := mustSeal(t, tpm, seal.Options{Policy: policy(seal.Branch{}), Parent: seal.Parent{Template: seal.SystemdECC}})
	if _, err := (tpm2.Clear{AuthHandle: tpm2.AuthHandle{Handle: tpm2.TPMRHLockout, Auth: tpm2.PasswordAuth(nil)}}).Execute(tpm); err != nil {
		t.Fatal(err)
	}
	_, err := seal.Unseal(tpm, s, nil)
	var parent *seal.ParentError
	if !errors.As(err, &parent) || len(parent.Have) == 0 || !strings.Contains(err.Error(), "template systemd-ecc-sha256") {
		t.Errorf("have %v", err)
	}
	checkRemedy(t, err)
	nothingLoaded(t, tpm)
}

// A password of the owner hierarchy keeps everybody from making the key.
func TestTransientParentWithOwnerAuth(t *testing.T) {
	tpm := open(t)
	auth := []byte("owner")
	if _, err := (tpm2.HierarchyChangeAuth{
		AuthHandle: tpm2.AuthHandle{Handle: tpm2.TPMRHOwner, Auth: tpm2.PasswordAuth(nil)},
		NewAuth:    tpm2.TPM2BAuth{Buffer: auth},
	}).Execute(tpm); err != nil {
		t.Fatal(err)
	}
	s := mustSeal(t, tpm, seal.Options{Policy: policy(seal.Branch{}), Parent: seal.Parent{Template: seal.SystemdECC}, OwnerAuth: auth})
	if _, err := seal.Unseal(tpm, s, nil); err == nil || !strings.Contains(err.Error(), "owner hierarchy's password") {
		t.Errorf("have %v", err)
	}
	nothingLoaded(t, tpm)
}

// Whatever command fails, the error is told and the TPM is left as it was.
func TestNothingStaysLoadedAfterAnyFailure(t *testing.T) {
	tpm := open(t)
	boot(t, tpm, "firmware", "kernel")
	p := policy(manyBranches(t, 3)...).With(predicted(t, "", "firmware", "kernel"))
	p.PIN = true
	pin := []byte("1")
	for _, parent := range []seal.Parent{{}, {Template: seal.SystemdECC}} {
		var s *seal.Sealed
		everyFailure(t, tpm, func(tpm transport.TPM) (err error) {
			s, err = seal.Seal(tpm, seal.Options{Secret: secret, Policy: p, PIN: pin, Parent: parent})
			return err
		})
		everyFailure(t, tpm, func(tpm transport.TPM) error {
			_, err := seal.Unseal(tpm, s, pin)
			return err
		})
	}
	if n := failures(t, tpm); n != 0 {
		t.Errorf("%d tries used", n)
	}
}
