package seal_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/bootseal/bootseal/pcr"
	"github.com/bootseal/bootseal/seal"
	"github.com/google/go-tpm/tpm2"
	"github.com/google/go-tpm/tpm2/transport"
)

var secret = []byte("the disk key: 32 bytes of random")

func mustSeal(t testing.TB, tpm transport.TPM, o seal.Options) *seal.Sealed {
	t.Helper()
	if o.Secret == nil {
		o.Secret = secret
	}
	s, err := seal.Seal(tpm, o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func mustOpen(t testing.TB, tpm transport.TPM, s *seal.Sealed, pin []byte) {
	t.Helper()
	got, err := seal.Unseal(tpm, s, pin)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, secret) {
		t.Fatalf("have %q", got)
	}
}

// checkRemedy demands what every typed error must have.
func checkRemedy(t testing.TB, err error) {
	t.Helper()
	var r seal.Remedier
	if !errors.As(err, &r) || r.Remedy() == "" {
		t.Errorf("no remedy: %v", err)
	}
}

func failures(t testing.TB, tpm transport.TPM) uint32 {
	t.Helper()
	l, err := seal.ReadLockout(tpm)
	if err != nil {
		t.Fatal(err)
	}
	return l.Failures
}

// The whole life: seal to two boots, open in each, refuse a third and say why,
// reseal before an upgrade.
func TestSealAcrossBoots(t *testing.T) {
	tpm := open(t)
	boot(t, tpm, "firmware", "kernel 1")
	s := mustSeal(t, tpm, seal.Options{Policy: policy(predicted(t, "kernel 1", "firmware", "kernel 1"))})
	mustOpen(t, tpm, s, nil)

	next, err := seal.Reseal(tpm, s, nil, s.Policy.With(predicted(t, "kernel 2", "firmware", "kernel 2")))
	if err != nil {
		t.Fatal(err)
	}
	mustOpen(t, tpm, next, nil)

	boot(t, tpm, "firmware", "kernel 2")
	mustOpen(t, tpm, next, nil)
	_, err = seal.Unseal(tpm, s, nil)
	var m *seal.MismatchError
	if !errors.As(err, &m) || m.Branches[0].Differences[0].PCR != 23 {
		t.Fatalf("have %v", err)
	}
	checkRemedy(t, err)

	boot(t, tpm, "evil firmware", "kernel 2")
	_, err = seal.Unseal(tpm, next, nil)
	if !errors.As(err, &m) || len(m.Branches) != 2 {
		t.Fatalf("have %v", err)
	}
}

func TestSealToAnyBoot(t *testing.T) {
	tpm := open(t)
	s := mustSeal(t, tpm, seal.Options{Policy: policy(seal.Branch{Label: "any"})})
	boot(t, tpm, "a", "b")
	mustOpen(t, tpm, s, nil)
}

// Nineteen branches: the one that matches sits alone behind two levels of OR.
func TestSealToManyBoots(t *testing.T) {
	tpm := open(t)
	s := mustSeal(t, tpm, seal.Options{Policy: policy(manyBranches(t, 19)...)})
	for _, n := range []int{0, 7, 8, 18} {
		boot(t, tpm, "firmware", fmt.Sprintf("kernel %d", n))
		mustOpen(t, tpm, s, nil)
	}
}

// What is stored is JSON, and nothing in it needs to be secret.
func TestSealedSurvivesJSON(t *testing.T) {
	tpm := open(t)
	boot(t, tpm, "firmware", "kernel")
	p := policy(predicted(t, "k", "firmware", "kernel"))
	p.PIN = true
	s := mustSeal(t, tpm, seal.Options{Policy: p, PIN: []byte("1234")})
	text, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`"version":1`, `"handle":"0x81000001"`, `"bank":"sha256"`, `"pin":true`, `"pin_salt":`, `"23":"`} {
		if !strings.Contains(string(text), want) {
			t.Errorf("%s is not in %s", want, text)
		}
	}
	var back seal.Sealed
	if err := json.Unmarshal(text, &back); err != nil {
		t.Fatal(err)
	}
	mustOpen(t, tpm, &back, []byte("1234"))
}

func TestSealRefuses(t *testing.T) {
	tpm := open(t)
	p, withPIN := policy(seal.Branch{}), policy(seal.Branch{})
	withPIN.PIN = true
	for _, tt := range []struct {
		o    seal.Options
		want string
	}{
		{seal.Options{Policy: p}, "the secret is empty"},
		{seal.Options{Policy: p, Secret: make([]byte, seal.MaxSecret+1)}, "129 bytes: a TPM takes at most 128"},
		{seal.Options{Policy: p, Secret: secret, PIN: []byte("1")}, "asks for none"},
		{seal.Options{Policy: withPIN, Secret: secret}, seal.ErrPINRequired.Error()},
		{seal.Options{Secret: secret}, "no branch"},
		{seal.Options{Policy: p, Secret: secret, Parent: seal.Parent{Name: seal.Name{1}}}, "no handle and no template"},
	} {
		_, err := seal.Seal(tpm, tt.o)
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("want %q, have %v", tt.want, err)
		}
	}
	largest := mustSeal(t, tpm, seal.Options{Policy: p, Secret: bytes.Repeat([]byte{7}, seal.MaxSecret)})
	if got, err := seal.Unseal(tpm, largest, nil); err != nil || len(got) != seal.MaxSecret {
		t.Errorf("largest secret: %d bytes, %v", len(got), err)
	}
}

func TestPIN(t *testing.T) {
	tpm := open(t)
	boot(t, tpm, "firmware", "kernel")
	p := policy(predicted(t, "", "firmware", "kernel"))
	p.PIN = true
	s := mustSeal(t, tpm, seal.Options{Policy: p, PIN: []byte("1234")})
	mustOpen(t, tpm, s, []byte("1234"))

	if _, err := seal.Unseal(tpm, s, nil); !errors.Is(err, seal.ErrPINRequired) {
		t.Errorf("no PIN: %v", err)
	}

	// On another boot not even the wrong PIN is tried.
	boot(t, tpm, "firmware", "another kernel")
	var mismatch *seal.MismatchError
	if _, err := seal.Unseal(tpm, s, []byte("wrong")); !errors.As(err, &mismatch) {
		t.Errorf("another boot: %v", err)
	}
	if n := failures(t, tpm); n != 0 {
		t.Errorf("%d tries used, want none", n)
	}

	boot(t, tpm, "firmware", "kernel")
	_, err := seal.Unseal(tpm, s, []byte("wrong"))
	var pin *seal.PINError
	if !errors.As(err, &pin) || pin.Lockout == nil || pin.Lockout.Failures != 1 {
		t.Fatalf("wrong PIN: %v", err)
	}
	checkRemedy(t, err)
	for range pin.Lockout.MaxFailures - 1 {
		_, err = seal.Unseal(tpm, s, []byte("wrong"))
	}
	if !errors.As(err, &pin) {
		t.Errorf("last wrong PIN: %v", err)
	}
	_, err = seal.Unseal(tpm, s, []byte("1234"))
	var locked *seal.LockoutError
	if !errors.As(err, &locked) || locked.Lockout == nil || locked.Lockout.Failures != locked.Lockout.MaxFailures {
		t.Errorf("right PIN in lockout: %v", err)
	}
	checkRemedy(t, err)
}

// authValues with a zero byte inside and at the end: go-tpm's own sessions cannot
// use the first, and a TPM removes the second.
func TestPINWithZeroBytes(t *testing.T) {
	tpm := open(t)
	p := policy(seal.Branch{})
	p.PIN = true
	for _, pin := range []string{"pin 7", "pin 21"} {
		s := mustSeal(t, tpm, seal.Options{Policy: p, PIN: []byte(pin), UnsaltedPIN: true})
		if len(s.PINSalt) != 0 {
			t.Errorf("%s: salted", pin)
		}
		mustOpen(t, tpm, s, []byte(pin))
	}
}

// Reseal can add and drop a PIN.
func TestResealChangesPIN(t *testing.T) {
	tpm := open(t)
	s := mustSeal(t, tpm, seal.Options{Policy: policy(seal.Branch{})})
	p := s.Policy
	p.PIN = true
	locked, err := seal.Reseal(tpm, s, []byte("1234"), p)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := seal.Unseal(tpm, locked, nil); !errors.Is(err, seal.ErrPINRequired) {
		t.Errorf("added: %v", err)
	}
	free, err := seal.Reseal(tpm, locked, []byte("1234"), s.Policy)
	if err != nil {
		t.Fatal(err)
	}
	mustOpen(t, tpm, free, nil)
}

func TestObjectOfAnotherTPM(t *testing.T) {
	one, other := open(t), open(t)
	s := mustSeal(t, one, seal.Options{Policy: policy(seal.Branch{})})
	if _, _, err := seal.EnsureSRK(other, nil); err != nil {
		t.Fatal(err)
	}
	_, err := seal.Unseal(other, s, nil)
	var parent *seal.ParentError
	if !errors.As(err, &parent) || len(parent.Have) == 0 || !bytes.Equal(parent.Parent.Name, s.Parent.Name) {
		t.Errorf("have %v", err)
	}
	checkRemedy(t, err)

	// Even with the pin moved, the object does not load.
	srk, err := seal.ReadParent(other, seal.SRKHandle)
	if err != nil {
		t.Fatal(err)
	}
	moved := *s
	moved.Parent = srk
	_, err = seal.Unseal(other, &moved, nil)
	var foreign *seal.ForeignError
	if !errors.As(err, &foreign) {
		t.Errorf("have %v", err)
	}
	checkRemedy(t, err)
}

func TestClearedTPM(t *testing.T) {
	tpm := open(t)
	s := mustSeal(t, tpm, seal.Options{Policy: policy(seal.Branch{})})
	if _, err := (tpm2.Clear{AuthHandle: tpm2.AuthHandle{Handle: tpm2.TPMRHLockout, Auth: tpm2.PasswordAuth(nil)}}).Execute(tpm); err != nil {
		t.Fatal(err)
	}
	_, err := seal.Unseal(tpm, s, nil)
	var parent *seal.ParentError
	if !errors.As(err, &parent) || len(parent.Have) != 0 {
		t.Errorf("have %v", err)
	}
	checkRemedy(t, err)
}

// A stored policy that is not the object's is found before the TPM is asked.
func TestSealedCheck(t *testing.T) {
	tpm := open(t)
	s := mustSeal(t, tpm, seal.Options{Policy: policy(predicted(t, "", "a", "b"))})
	for _, tt := range []struct {
		change func(*seal.Sealed)
		want   string
	}{
		{func(s *seal.Sealed) { s.Version = 2 }, "version 2: want 1"},
		{func(s *seal.Sealed) { s.Policy = policy(predicted(t, "", "a", "c")) }, "its policy digest is"},
		{func(s *seal.Sealed) { s.Policy.PIN = true }, "its policy digest is"},
		{func(s *seal.Sealed) { s.Policy.Branches = nil }, "no branch"},
		{func(s *seal.Sealed) { s.Parent.Name = nil }, "the parent's Name is missing"},
		{func(s *seal.Sealed) { s.Private = nil }, "the private area is missing"},
		{func(s *seal.Sealed) { s.Public = s.Public[:10] }, "parse the public area"},
		{func(s *seal.Sealed) { s.Public = append(bytes.Clone(s.Public), 0) }, "not in canonical form"},
	} {
		bad := *s
		tt.change(&bad)
		_, err := seal.Unseal(nil, &bad, nil)
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("want %q, have %v", tt.want, err)
		}
	}
	damaged := *s
	damaged.Private = bytes.Clone(s.Private)
	damaged.Private[len(damaged.Private)-1] ^= 1
	boot(t, tpm, "a", "b")
	var foreign *seal.ForeignError
	if _, err := seal.Unseal(tpm, &damaged, nil); !errors.As(err, &foreign) {
		t.Errorf("damaged: %v", err)
	}
}

// The object is what systemd's LUKS tokens hold.
func TestObjectShape(t *testing.T) {
	tpm := open(t)
	for _, pin := range []bool{false, true} {
		p := policy(seal.Branch{})
		p.PIN = pin
		o := seal.Options{Policy: p}
		if pin {
			o.PIN = []byte("1")
		}
		s := mustSeal(t, tpm, o)
		pub, err := tpm2.Unmarshal[tpm2.TPMTPublic](s.Public)
		if err != nil {
			t.Fatal(err)
		}
		want := tpm2.TPMAObject{FixedTPM: true, FixedParent: true, NoDA: !pin}
		if pub.Type != tpm2.TPMAlgKeyedHash || pub.NameAlg != tpm2.TPMAlgSHA256 || pub.ObjectAttributes != want {
			t.Errorf("PIN %v: have %+v", pin, pub)
		}
	}
}

func TestReadPCRs(t *testing.T) {
	tpm := open(t)
	boot(t, tpm, "a", "b")
	all := pcr.BankSelection{Bank: pcr.SHA256, PCRs: pcr.AllPCRs} // more than one answer holds
	v, err := seal.ReadPCRs(tpm, all)
	if err != nil {
		t.Fatal(err)
	}
	want := predicted(t, "", "a", "b")
	for i := range pcr.Count {
		w, ok := want.PCRs[i]
		if !ok {
			w = pcr.Reset(pcr.SHA256, i, 0)
		}
		if d, _ := v.Get(pcr.SHA256, i); !d.Equal(w) {
			t.Errorf("PCR %d is %s, want %s", i, d, w)
		}
	}
	if _, err := seal.ReadPCRs(tpm, pcr.BankSelection{Bank: pcr.SHA3512, PCRs: all.PCRs}); err == nil {
		t.Error("a bank that the TPM does not have")
	}
}

// What lies on a disk may be anything: it is refused without a TPM, or has all that is needed.
func FuzzSealed(f *testing.F) {
	tpm := open(f)
	boot(f, tpm, "firmware", "kernel")
	for _, k := range kinds(f, tpm) {
		text, err := json.Marshal(mustSeal(f, tpm, k.options))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		var s seal.Sealed
		if json.Unmarshal(text, &s) != nil || s.Check() != nil {
			return
		}
		if name, err := s.Name(); err != nil || len(name) != 34 {
			t.Errorf("Name %s, %v", name, err)
		}
		if _, err := seal.Digest(s.Policy); err != nil {
			t.Error(err)
		}
	})
}
