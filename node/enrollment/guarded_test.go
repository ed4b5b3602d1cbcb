package enrollment_test

import (
	"encoding/json"
	"errors"
	"slices"
	"testing"

	"github.com/bootseal/bootseal/luks"
	"github.com/bootseal/bootseal/node/enrollment"
	"github.com/bootseal/bootseal/pcr"
	"github.com/bootseal/bootseal/seal"
	"github.com/bootseal/bootseal/vtpm/vtpmtest"
)

// What was expected belongs to a token with a rollback guard, too, for the values that
// it was sealed for and no others.
func TestExpectationOfAGuardedToken(t *testing.T) {
	tpm := vtpmtest.Open(t)
	srk, _, err := seal.EnsureSRK(tpm, nil)
	if err != nil {
		t.Fatal(err)
	}
	guard, err := seal.DefineGuard(tpm, srk, nil)
	if err != nil {
		t.Fatal(err)
	}
	policy, err := enrollment.LiteralPolicy("", zeros(pcr.SHA256, 4, 7), pcr.BankSelection{Bank: pcr.SHA256, PCRs: pcr.Select(4, 7)}, false)
	if err != nil {
		t.Fatal(err)
	}
	policy.Guard = &guard
	s, err := seal.Seal(tpm, seal.Options{Secret: []byte("secret"), Policy: policy})
	if err != nil {
		t.Fatal(err)
	}
	token, err := (&luks.BootsealTPM2{
		Keyslots: []int{1}, Object: luks.Blob{Private: s.Private, Public: s.Public}, PCRs: pcr.Select(4, 7), Bank: pcr.SHA256,
		Parent: luks.TPM2Parent{Handle: uint32(s.Parent.Handle), Name: s.Parent.Name},
		Guard:  &luks.TPM2Guard{Index: uint32(guard.Index), Name: guard.Name, Value: guard.Value},
	}).MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		value byte
		is    bool
	}{{0, true}, {1, false}} {
		values := zeros(pcr.SHA256, 4, 7)
		values[pcr.SHA256][4][0] = c.value
		boot, err := (&luks.Boot{Keyslots: []int{1}, Paths: []luks.Path{{Token: 20, Label: "guarded", Bank: pcr.SHA256, PCRs: values[pcr.SHA256]}}}).MarshalJSON()
		if err != nil {
			t.Fatal(err)
		}
		h := sample(t)
		h.Metadata.Tokens = map[int]json.RawMessage{20: token, 21: boot}
		got := enrollment.Inspect(h).Token(20)
		if got == nil || (got.Expect != nil) != c.is {
			t.Errorf("with %d: %+v", c.value, got)
		}
	}
}

// A key is the same thing in both types of token: what goes in comes out by the token's
// text alone, until the guard's counter moves.
func TestGuardedKey(t *testing.T) {
	tpm := vtpmtest.Open(t)
	srk, _, err := seal.EnsureSRK(tpm, nil)
	if err != nil {
		t.Fatal(err)
	}
	guard, err := seal.DefineGuard(tpm, srk, nil)
	if err != nil {
		t.Fatal(err)
	}
	now := zeros(pcr.SHA256, 4, 7)
	policy, err := enrollment.LiteralPolicy("", now, pcr.BankSelection{Bank: pcr.SHA256, PCRs: pcr.Select(4, 7)}, false)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := enrollment.NewGuardedToken(&seal.Sealed{Policy: policy}, 1); err == nil {
		t.Error("a policy without a guard became a guarded token")
	}
	policy.Guard = &guard
	made, err := seal.Seal(tpm, seal.Options{Secret: []byte("secret"), Policy: policy})
	if err != nil {
		t.Fatal(err)
	}
	token, err := enrollment.NewGuardedToken(made, 1)
	if err != nil {
		t.Fatal(err)
	}
	text, err := token.MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	h := sample(t)
	h.Metadata.Tokens[20] = text
	e := enrollment.Inspect(h)
	if got := e.Fits(now); !slices.Equal(got, []int{0, 1, 20}) {
		t.Errorf("fit: %v", got)
	}
	s, err := e.Token(20).Key().Sealed("this boot", now)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := seal.Unseal(tpm, s, nil); err != nil || string(got) != "secret" {
		t.Errorf("%q, %v", got, err)
	}
	if err := seal.AdvanceGuard(tpm, srk, guard.Next(), nil); err != nil {
		t.Fatal(err)
	}
	var moved *seal.GuardError
	if _, err := seal.Unseal(tpm, s, nil); !errors.As(err, &moved) {
		t.Errorf("after the counter has moved: %v", err)
	}
}
