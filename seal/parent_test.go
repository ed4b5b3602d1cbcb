package seal_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/bootseal/bootseal/seal"
	"github.com/google/go-tpm/tpm2"
	"github.com/google/go-tpm/tpm2/transport"
)

func TestEnsureSRK(t *testing.T) {
	tpm := open(t)
	var missing *seal.ParentError
	if _, err := seal.ReadParent(tpm, seal.SRKHandle); !errors.As(err, &missing) {
		t.Errorf("fresh TPM: %v", err)
	}
	srk, created, err := seal.EnsureSRK(tpm, nil)
	if err != nil || !created {
		t.Fatalf("first: created %v, %v", created, err)
	}
	again, created, err := seal.EnsureSRK(tpm, nil)
	if err != nil || created || !bytes.Equal(again.Name, srk.Name) {
		t.Errorf("second: created %v, %v", created, err)
	}
	pub, err := tpm2.Unmarshal[tpm2.TPMTPublic](srk.Public)
	if err != nil {
		t.Fatal(err)
	}
	if name, err := tpm2.ObjectName(pub); err != nil || !bytes.Equal(name.Buffer, srk.Name) {
		t.Errorf("Name %v, %v", name, err)
	}
	want := tpm2.TPMAObject{FixedTPM: true, FixedParent: true, SensitiveDataOrigin: true,
		UserWithAuth: true, NoDA: true, Restricted: true, Decrypt: true}
	if pub.Type != tpm2.TPMAlgECC || pub.ObjectAttributes != want {
		t.Errorf("have %+v", pub)
	}

	// The Provisioning Guidance's key with systemd's empty unique, not go-tpm's.
	gotpm, err := tpm2.CreatePrimary{
		PrimaryHandle: tpm2.TPMRHOwner,
		InPublic:      tpm2.New2B(tpm2.ECCSRKTemplate),
	}.Execute(tpm)
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Equal(gotpm.Name.Buffer, srk.Name) {
		t.Error("an empty unique and 32 zero bytes give the same key")
	}
}

// An authValue with a zero byte inside, and the wrong one.
func TestEnsureSRKWithOwnerAuth(t *testing.T) {
	tpm := open(t)
	auth := []byte("ow\x00ner")
	_, err := tpm2.HierarchyChangeAuth{
		AuthHandle: tpm2.AuthHandle{Handle: tpm2.TPMRHOwner, Auth: tpm2.PasswordAuth(nil)},
		NewAuth:    tpm2.TPM2BAuth{Buffer: auth},
	}.Execute(tpm)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := seal.EnsureSRK(tpm, nil); err == nil || !strings.Contains(err.Error(), "password is wrong or missing") {
		t.Errorf("no password: %v", err)
	}
	wire := &bus{tpm: tpm}
	if _, created, err := seal.EnsureSRK(wire, auth); err != nil || !created {
		t.Errorf("created %v, %v", created, err)
	}
	if bytes.Contains(wire.seen.Bytes(), auth) {
		t.Error("the owner's password is on the bus")
	}
}

// Clouds provision an RSA key at the handle; it serves as well.
func TestSealUnderRSA(t *testing.T) {
	tpm := open(t)
	primary, err := tpm2.CreatePrimary{
		PrimaryHandle: tpm2.TPMRHOwner,
		InPublic:      tpm2.New2B(tpm2.RSASRKTemplate),
	}.Execute(tpm)
	if err != nil {
		t.Fatal(err)
	}
	_, err = tpm2.EvictControl{
		Auth:             tpm2.TPMRHOwner,
		ObjectHandle:     &tpm2.NamedHandle{Handle: primary.ObjectHandle, Name: primary.Name},
		PersistentHandle: tpm2.TPMHandle(seal.SRKHandle),
	}.Execute(tpm)
	if err != nil {
		t.Fatal(err)
	}
	s := mustSeal(t, tpm, seal.Options{Policy: policy(seal.Branch{})})
	if !bytes.Equal(s.Parent.Name, primary.Name.Buffer) {
		t.Error("sealed under another key")
	}
	mustOpen(t, tpm, s, nil)
}

// A signing key at the handle must not be salted to, nor hold secrets.
func TestParentMustBeStorageKey(t *testing.T) {
	tpm := open(t)
	template := tpm2.ECCSRKTemplate
	template.ObjectAttributes.Decrypt = false
	template.ObjectAttributes.Restricted = false
	template.ObjectAttributes.SignEncrypt = true
	template.Parameters = tpm2.NewTPMUPublicParms(tpm2.TPMAlgECC, &tpm2.TPMSECCParms{CurveID: tpm2.TPMECCNistP256})
	primary, err := tpm2.CreatePrimary{PrimaryHandle: tpm2.TPMRHOwner, InPublic: tpm2.New2B(template)}.Execute(tpm)
	if err != nil {
		t.Fatal(err)
	}
	_, err = seal.ReadParent(tpm, seal.Handle(primary.ObjectHandle))
	if err == nil || !strings.Contains(err.Error(), "not a storage key") {
		t.Errorf("have %v", err)
	}
}

// A storage root key that somebody gave a password, under dictionary attack protection or
// not: that is said, and is no wrong PIN.
func TestParentWithPassword(t *testing.T) {
	for _, noDA := range []bool{true, false} {
		tpm := open(t)
		template := tpm2.ECCSRKTemplate
		template.ObjectAttributes.NoDA = noDA
		primary, err := tpm2.CreatePrimary{
			PrimaryHandle: tpm2.TPMRHOwner, InPublic: tpm2.New2B(template),
			InSensitive: tpm2.TPM2BSensitiveCreate{Sensitive: &tpm2.TPMSSensitiveCreate{UserAuth: tpm2.TPM2BAuth{Buffer: []byte("password")}}},
		}.Execute(tpm)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := (tpm2.EvictControl{
			Auth: tpm2.TPMRHOwner, ObjectHandle: &tpm2.NamedHandle{Handle: primary.ObjectHandle, Name: primary.Name},
			PersistentHandle: tpm2.TPMHandle(seal.SRKHandle),
		}).Execute(tpm); err != nil {
			t.Fatal(err)
		}
		_, err = seal.Seal(tpm, seal.Options{Secret: secret, Policy: policy(seal.Branch{})})
		var pin *seal.PINError
		if err == nil || errors.As(err, &pin) || !strings.Contains(err.Error(), "the storage key has a password") {
			t.Errorf("seal: %v", err)
		}
	}
}

// An interposer that puts its own key in place of the pinned one is refused
// before anything is encrypted to it.
func TestSubstitutedParent(t *testing.T) {
	tpm, evil := open(t), open(t)
	s := mustSeal(t, tpm, seal.Options{Policy: policy(seal.Branch{})})
	if _, _, err := seal.EnsureSRK(evil, nil); err != nil {
		t.Fatal(err)
	}
	wire := &bus{tpm: tpm, answer: func(cc tpm2.TPMCC, command, response []byte) []byte {
		if cc != tpm2.TPMCCReadPublic {
			return response
		}
		forged, err := evil.Send(command)
		if err != nil {
			t.Fatal(err)
		}
		return forged
	}}
	var parent *seal.ParentError
	if _, err := seal.Unseal(wire, s, nil); !errors.As(err, &parent) {
		t.Errorf("unseal: %v", err)
	}
	if _, err := seal.Seal(wire, seal.Options{Secret: secret, Policy: s.Policy, Parent: s.Parent}); !errors.As(err, &parent) {
		t.Errorf("seal: %v", err)
	}
	if n := wire.count[tpm2.TPMCCStartAuthSession]; n != 0 {
		t.Errorf("%d sessions were started", n)
	}
}

// Who listens learns neither the secret nor the PIN's authValue.
func TestNothingOnTheBus(t *testing.T) {
	wire := &bus{tpm: open(t)}
	p := policy(seal.Branch{})
	p.PIN = true
	pin := []byte("a PIN that is long enough to search")
	s := mustSeal(t, wire, seal.Options{Policy: p, PIN: pin})
	mustOpen(t, wire, s, pin)
	for _, hidden := range [][]byte{secret, secret[:8], pin} {
		if bytes.Contains(wire.seen.Bytes(), hidden) {
			t.Errorf("%q is on the bus", hidden)
		}
	}
	if wire.count[tpm2.TPMCCUnseal] == 0 {
		t.Error("the wire saw nothing: the test is wrong")
	}
}

// Who changes an answer is found out, bit by bit.
func TestChangedAnswer(t *testing.T) {
	tpm := open(t)
	s := mustSeal(t, tpm, seal.Options{Policy: policy(seal.Branch{})})
	const header = 10 + 4 // response header, parameterSize
	for _, cc := range []tpm2.TPMCC{tpm2.TPMCCLoad, tpm2.TPMCCUnseal} {
		for _, at := range []int{header + 4 + 2, header + 4 + 9} {
			wire := &bus{tpm: tpm, answer: func(have tpm2.TPMCC, _, response []byte) []byte {
				if have == cc {
					response[at] ^= 1
				}
				return response
			}}
			if got, err := seal.Unseal(wire, s, nil); err == nil {
				t.Errorf("command 0x%x, byte %d: accepted %q", cc, at, got)
			}
		}
	}
}

// Every session and object is gone afterwards, whatever happened.
func TestNothingStaysLoaded(t *testing.T) {
	tpm := open(t)
	boot(t, tpm, "firmware", "kernel")
	p := policy(predicted(t, "", "firmware", "kernel"), predicted(t, "", "firmware", "kernel 2"))
	p.PIN = true
	s := mustSeal(t, tpm, seal.Options{Policy: p, PIN: []byte("1")})
	mustOpen(t, tpm, s, []byte("1"))
	_, _ = seal.Unseal(tpm, s, []byte("wrong"))
	boot(t, tpm, "firmware", "another")
	_, _ = seal.Unseal(tpm, s, []byte("1"))
	nothingLoaded(t, tpm)
}

// busy answers TPM_RC_RETRY to the first attempts at every command, as a TPM does
// that has to write to its NV memory first.
type busy struct {
	tpm  transport.TPM
	left int
	last []byte
}

func (b *busy) Send(command []byte) ([]byte, error) {
	if !bytes.Equal(command, b.last) {
		b.last, b.left = bytes.Clone(command), 2
	}
	if b.left > 0 {
		b.left--
		return []byte{0x80, 0x01, 0, 0, 0, 10, 0, 0, 0x09, 0x22}, nil
	}
	return b.tpm.Send(command)
}

func TestBusyTPM(t *testing.T) {
	tpm := &busy{tpm: open(t)}
	s := mustSeal(t, tpm, seal.Options{Policy: policy(seal.Branch{})})
	mustOpen(t, tpm, s, nil)
}
