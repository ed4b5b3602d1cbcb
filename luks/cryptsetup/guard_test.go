package cryptsetup

import (
	"crypto/rand"
	"strconv"
	"testing"

	"github.com/bootseal/bootseal/luks"
	"github.com/bootseal/bootseal/seal"
)

// A token with a rollback guard comes first, and is left alone by cryptsetup and by
// systemd's plugin: any token that opens is wanted, and the next one does.
func TestGuardedTokenIsLeftAlone(t *testing.T) {
	v := volume(t)
	program := byToken(t)
	tpm, device := simulator(t)
	srk, _, err := seal.EnsureSRK(tpm, nil)
	if err != nil {
		t.Fatal(err)
	}
	guard, err := seal.DefineGuard(tpm, srk, nil)
	if err != nil {
		t.Fatal(err)
	}
	o := kinds(t, tpm)[0]
	o.Secret = make([]byte, 32)
	rand.Read(o.Secret)
	slot, err := v.AddKey(t.Context(), passphrase, luks.Passphrase(o.Secret), Quick)
	if err != nil {
		t.Fatal(err)
	}
	plain := sealFor252(t, tpm, o)
	plain.Keyslots = []int{slot}

	o.Parent, o.Policy.Guard = srk, &guard
	s, err := seal.Seal(tpm, o)
	if err != nil {
		t.Fatal(err)
	}
	guarded := &luks.BootsealTPM2{
		Keyslots: []int{slot}, Object: luks.Blob{Private: s.Private, Public: s.Public},
		PCRs: o.Policy.Selection().PCRs, Bank: o.Policy.Bank,
		Parent: luks.TPM2Parent{Handle: uint32(srk.Handle), Name: srk.Name},
		Guard:  &luks.TPM2Guard{Index: uint32(guard.Index), Name: guard.Name, Value: guard.Value},
	}
	first, err := guarded.MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	second, err := plain.For(luks.Systemd252)
	if err != nil {
		t.Fatal(err)
	}
	for want, text := range [][]byte{first, second} {
		if id, err := v.ImportToken(t.Context(), text); err != nil || id != want {
			t.Fatalf("token %d, %v", id, err)
		}
	}
	const anyToken = -1
	if got, err := open(t, program, v.Path(), device, anyToken, "", ""); err != nil || got != strconv.Itoa(slot) {
		t.Errorf("keyslot %q, %v %s", got, err, stderr(err))
	}
	if got, err := open(t, program, v.Path(), device, 0, "", ""); err == nil {
		t.Errorf("keyslot %s opened by a token that nobody but bootseal knows", got)
	}
	back, err := luks.ParseToken(0, header(t, v).Metadata.Tokens[0])
	if err != nil || back.(*luks.BootsealTPM2).Guard.Value != guard.Value {
		t.Errorf("%+v, %v", back, err)
	}
}
