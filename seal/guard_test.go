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

// srkOf is the storage root key that sessions are salted to.
func srkOf(t testing.TB, tpm transport.TPM) seal.Parent {
	t.Helper()
	srk, _, err := seal.EnsureSRK(tpm, nil)
	if err != nil {
		t.Fatal(err)
	}
	return srk
}

func guard(t testing.TB, tpm transport.TPM) seal.Guard {
	t.Helper()
	g, err := seal.DefineGuard(tpm, srkOf(t, tpm), nil)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// The life of a guard: two boots are open, one of them is retired, and its secret stays
// closed although its PCRs come back.
func TestGuardRetires(t *testing.T) {
	tpm := open(t)
	g := guard(t, tpm)
	srk := srkOf(t, tpm)
	one, two := policy(predicted(t, "kernel 1", "firmware", "kernel 1")), policy(predicted(t, "kernel 2", "firmware", "kernel 2"))
	one.Guard, two.Guard = &g, &g
	one.PIN = true
	pin := []byte("1234")
	old := mustSeal(t, tpm, seal.Options{Policy: one, PIN: pin})
	stays := mustSeal(t, tpm, seal.Options{Policy: two})
	text, err := json.Marshal(old)
	if err != nil || !strings.Contains(string(text), `"guard":{"index":"0x0180b580","name":"`) {
		t.Errorf("%s, %v", text, err)
	}
	boot(t, tpm, "firmware", "kernel 1")
	mustOpen(t, tpm, old, pin)

	// Sealed for the next count, it opens before and after the counter has moved.
	boot(t, tpm, "firmware", "kernel 2")
	mustOpen(t, tpm, stays, nil)
	next := g.Next()
	two.Guard = &next
	renewed, err := seal.Reseal(tpm, stays, nil, two)
	if err != nil {
		t.Fatal(err)
	}
	mustOpen(t, tpm, renewed, nil)
	for range 2 { // a crash before it is noted that it was done
		if err := seal.AdvanceGuard(tpm, srk, next, nil); err != nil {
			t.Fatal(err)
		}
	}
	mustOpen(t, tpm, renewed, nil)
	if count, err := seal.ReadGuard(tpm, srk, g); err != nil || count != next.Value {
		t.Errorf("the counter stands at %d, %v", count, err)
	}

	boot(t, tpm, "firmware", "kernel 1")
	for why, typed := range map[string][]byte{"the PIN": pin, "a wrong PIN": []byte("wrong"), "no PIN": nil} {
		_, err = seal.Unseal(tpm, old, typed)
		var moved *seal.GuardError
		if !errors.As(err, &moved) || moved.Count != next.Value || moved.Guard.Value != g.Value {
			t.Errorf("%s: %v", why, err)
		}
		if errors.Is(err, seal.ErrPINRequired) {
			t.Errorf("%s: a PIN is asked for what it cannot open", why)
		}
		checkRemedy(t, err)
	}
	if n := failures(t, tpm); n != 0 {
		t.Errorf("%d tries used", n)
	}
	nothingLoaded(t, tpm)
}

// A counter that was removed, and one that is made in its place: it begins above all that
// ever was, so that nothing opens again.
func TestGuardIsGone(t *testing.T) {
	tpm := open(t)
	g := guard(t, tpm)
	srk := srkOf(t, tpm)
	p := policy(seal.Branch{})
	p.Guard = &g
	s := mustSeal(t, tpm, seal.Options{Policy: p})
	if err := seal.RemoveGuard(tpm, srk, g, nil); err != nil {
		t.Fatal(err)
	}
	gone := func(why string, err error) {
		t.Helper()
		var e *seal.GuardError
		if !errors.As(err, &e) || e.Err == nil {
			t.Errorf("%s: %v", why, err)
		}
		checkRemedy(t, err)
	}
	_, err := seal.Unseal(tpm, s, nil)
	gone("unseal", err)
	_, err = seal.ReadGuard(tpm, srk, g)
	gone("read", err)
	gone("advance", seal.AdvanceGuard(tpm, srk, g.Next(), nil))

	again := guard(t, tpm)
	if again.Index != g.Index || !bytes.Equal(again.Name, g.Name) || again.Value <= g.Value {
		t.Errorf("made again as %+v after %+v", again, g)
	}
	var moved *seal.GuardError
	if _, err := seal.Unseal(tpm, s, nil); !errors.As(err, &moved) || moved.Err != nil || moved.Count != again.Value {
		t.Errorf("made again: %v", err)
	}

	// An index of the same number with other attributes is another one: its Name tells.
	if err := seal.RemoveGuard(tpm, srk, again, nil); err != nil {
		t.Fatal(err)
	}
	if _, err := (tpm2.NVDefineSpace{
		AuthHandle: tpm2.AuthHandle{Handle: tpm2.TPMRHOwner, Auth: tpm2.PasswordAuth(nil)},
		PublicInfo: tpm2.New2B(tpm2.TPMSNVPublic{NVIndex: tpm2.TPMHandle(g.Index), NameAlg: tpm2.TPMAlgSHA256, DataSize: 8,
			Attributes: tpm2.TPMANV{AuthRead: true, AuthWrite: true, NoDA: true}}),
	}).Execute(tpm); err != nil {
		t.Fatal(err)
	}
	index := tpm2.NamedHandle{Handle: tpm2.TPMHandle(g.Index), Name: nvName(t, tpm, g.Index)}
	if _, err := (tpm2.NVWrite{
		AuthHandle: tpm2.AuthHandle{Handle: index.Handle, Name: index.Name, Auth: tpm2.PasswordAuth(nil)},
		NVIndex:    index, Data: tpm2.TPM2BMaxNVBuffer{Buffer: make([]byte, 8)},
	}).Execute(tpm); err != nil {
		t.Fatal(err)
	}
	_, err = seal.Unseal(tpm, s, nil)
	gone("an index that everybody sets back", err)
	nothingLoaded(t, tpm)
}

func nvName(t testing.TB, tpm transport.TPM, index seal.Handle) tpm2.TPM2BName {
	t.Helper()
	rsp, err := tpm2.NVReadPublic{NVIndex: tpm2.TPMHandle(index)}.Execute(tpm)
	if err != nil {
		t.Fatal(err)
	}
	return rsp.NVName
}

func TestGuardRefuses(t *testing.T) {
	tpm := open(t)
	if _, err := seal.DefineCounter(tpm, seal.Parent{}, []byte("secret"), nil); err == nil || !strings.Contains(err.Error(), "no handle and no template") {
		t.Errorf("an authValue in clear: %v", err)
	}
	g := guard(t, tpm)
	srk := srkOf(t, tpm)
	if err := seal.AdvanceGuard(tpm, srk, g.Next().Next(), nil); err == nil || !strings.Contains(err.Error(), "it moves by one") {
		t.Errorf("skipping a count: %v", err)
	}
	back := g
	back.Value--
	var moved *seal.GuardError
	if err := seal.AdvanceGuard(tpm, srk, back, nil); !errors.As(err, &moved) || moved.Count != g.Value {
		t.Errorf("going back: %v", err)
	}
	for want, bad := range map[string]seal.Guard{"without an NV index": {Name: g.Name}, "without its Name": {Index: g.Index}} {
		p := policy(seal.Branch{})
		p.Guard = &bad
		if _, err := seal.Digest(p); err == nil || !strings.Contains(err.Error(), "a guard without an NV index") {
			t.Errorf("%s: %v", want, err)
		}
	}
}

// A counter of the owner's is moved with the owner's password only, and read without.
func TestGuardWithOwnerAuth(t *testing.T) {
	tpm := open(t)
	srk := srkOf(t, tpm)
	auth := []byte("own\x00er")
	if _, err := (tpm2.HierarchyChangeAuth{
		AuthHandle: tpm2.AuthHandle{Handle: tpm2.TPMRHOwner, Auth: tpm2.PasswordAuth(nil)},
		NewAuth:    tpm2.TPM2BAuth{Buffer: auth},
	}).Execute(tpm); err != nil {
		t.Fatal(err)
	}
	if _, err := seal.DefineGuard(tpm, srk, nil); err == nil || !strings.Contains(err.Error(), "owner hierarchy's password") {
		t.Errorf("without the password: %v", err)
	}
	wire := &bus{tpm: tpm}
	g, err := seal.DefineGuard(wire, srk, auth)
	if err != nil {
		t.Fatal(err)
	}
	if err := seal.AdvanceGuard(tpm, srk, g.Next(), nil); err == nil {
		t.Error("moved without the password")
	}
	if err := seal.AdvanceGuard(wire, srk, g.Next(), auth); err != nil {
		t.Error(err)
	}
	if count, err := seal.ReadGuard(tpm, srk, g); err != nil || count != g.Value+1 {
		t.Errorf("%d, %v", count, err)
	}
	if bytes.Contains(wire.seen.Bytes(), auth) {
		t.Error("the owner's password is on the bus")
	}
	nothingLoaded(t, tpm)
}

// The count that one reads is the TPM's, and no index is left behind by what failed.
func TestGuardOnHostileBus(t *testing.T) {
	tpm := open(t)
	srk := srkOf(t, tpm)
	g := guard(t, tpm)
	wire := &bus{tpm: tpm, answer: func(cc tpm2.TPMCC, _, response []byte) []byte {
		if cc == tpm2.TPMCCNVRead {
			response[10+4+2+7] ^= 1 // header, parameterSize, TPM2B's size: the count's last byte
		}
		return response
	}}
	if count, err := seal.ReadGuard(wire, srk, g); err == nil {
		t.Errorf("accepted a count of %d", count)
	}
	p := policy(seal.Branch{})
	p.Guard = &g
	s := mustSeal(t, tpm, seal.Options{Policy: p})
	everyFailure(t, tpm, func(tpm transport.TPM) error {
		_, err := seal.Unseal(tpm, s, nil)
		return err
	})
	everyFailure(t, tpm, func(failing transport.TPM) error {
		other, err := seal.DefineGuard(failing, srk, nil)
		if err == nil {
			err = seal.RemoveGuard(tpm, srk, other, nil)
		}
		if _, missing := (tpm2.NVReadPublic{NVIndex: tpm2.TPMHandle(g.Index + 1)}).Execute(tpm); !errors.Is(missing, tpm2.TPMRCHandle) {
			t.Errorf("an index is left: %v", missing)
		}
		return err
	})
	everyFailure(t, tpm, func(tpm transport.TPM) error { return seal.AdvanceGuard(tpm, srk, g.Next(), nil) })
}
