package unlock_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/bootseal/bootseal/internal/boots"
	"github.com/bootseal/bootseal/luks"
	"github.com/bootseal/bootseal/node/unlock"
	"github.com/bootseal/bootseal/node/volumes"
	"github.com/bootseal/bootseal/pcr"
	"github.com/bootseal/bootseal/seal"
)

// The machine boots as it was enrolled: nobody is asked, and the identity is measured as
// systemd does, in every bank.
func TestTheTPMOpensTheBootThatWasMeant(t *testing.T) {
	m := newMachine(t)
	m.register()
	m.enroll("another boot", recorded(t, boots.Upgraded).Log)
	id := m.enroll("Debian, kernel 6.1.0-54", m.log)
	opened, err := m.unlock()
	m.check(err)
	if string(opened.Passphrase) != string(luks.Passphrase(m.secret)) || opened.Keyslot != m.slot {
		t.Errorf("keyslot %d", opened.Keyslot)
	}
	n := opened.Note
	if n.By != volumes.ByToken || *n.Token != id || n.Label != "Debian, kernel 6.1.0-54" || n.Why != "" || n.Identity != "same" || !n.Measured {
		t.Errorf("note %+v", n)
	}
	m.says("bootseal: root: opened by the TPM, token 2\nbootseal:   Debian, kernel 6.1.0-54\n")
	if len(m.prompts) != 0 {
		t.Errorf("somebody was asked: %q", m.prompts)
	}
	key, err := m.volume.VolumeKey(t.Context(), []byte(passphrase))
	m.check(err)
	for _, bank := range pcr.Banks() {
		d, err := volumes.Measurement(bank, key, name, m.uuid())
		m.check(err)
		want, err := pcr.Extend(bank, pcr.Reset(bank, 15, 0), d)
		m.check(err)
		if got := m.pcr(bank, 15); !got.Equal(want) {
			t.Errorf("%s PCR 15 is %s: want %s", bank, got, want)
		}
	}
}

// Tokens written for systemd 252 have a parent that is made each time.
func TestATokenForSystemd252(t *testing.T) {
	m := newMachine(t)
	parent, err := seal.MakeParent(m.tpm, nil, seal.SystemdECC)
	m.check(err)
	m.enrollFor("", recorded(t, boots.Second).PCRs, seal.Options{Secret: m.secret, Parent: parent})
	opened, err := m.unlock()
	m.check(err)
	if opened.Note.By != volumes.ByToken || opened.Note.Identity != "unknown" {
		t.Errorf("note %+v", opened.Note)
	}
}

func TestTheRecoveryKey(t *testing.T) {
	for _, c := range []struct {
		name  string
		typed func(key string) []string
		by    volumes.By
	}{
		{"as it is written", func(key string) []string { return []string{key} }, volumes.ByRecoveryKey},
		{"in capitals, without dashes", func(key string) []string { return []string{strings.ToUpper(strings.ReplaceAll(key, "-", ""))} }, volumes.ByRecoveryKey},
		{"after a slip", func(key string) []string { return []string{key[1:], key} }, volumes.ByRecoveryKey},
		{"another passphrase", func(string) []string { return []string{"", "wrong", passphrase} }, volumes.ByPassphrase},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := newMachine(t)
			m.register()
			m.enroll("", recorded(t, boots.Upgraded).Log)
			m.answers = c.typed(string(m.key.Passphrase()))
			opened, err := m.unlock()
			m.check(err)
			if opened.Note.By != c.by || opened.Note.Why != volumes.WhyPCRs || opened.Note.Identity != "same" || !opened.Note.Measured {
				t.Errorf("note %+v", opened.Note)
			}
			if len(m.prompts) != len(c.typed("x")) || m.prompts[0] != "Recovery key for root: " {
				t.Errorf("prompts %q", m.prompts)
			}
			m.says("bootseal: root: not opened by the TPM: this boot is not an enrolled one\n", "opened by ")
		})
	}
}

func TestASlipInTheRecoveryKeyIsTold(t *testing.T) {
	m := newMachine(t)
	key := string(m.key.Passphrase())
	m.answers = []string{key[1:], "a" + key[1:], "short"}
	if _, err := m.unlock(); !errors.Is(err, unlock.ErrClosed) {
		t.Error(err)
	}
	m.says("there are 63 letters, want 64; 2 tries are left", "the character at place 1 is none of them; one try is left", "root: no keyslot opens with this", "root: not opened")
	if strings.Contains(m.console.String(), key[10:20]) {
		t.Error("the key is on the console")
	}
}

func TestNobodyAnswers(t *testing.T) {
	m := newMachine(t)
	if _, err := m.unlock(); !errors.Is(err, unlock.ErrClosed) || !errors.Is(err, unlock.ErrNoAnswer) {
		t.Error(err)
	}
	m.says("root: not opened: nobody answers")
}

// A machine without a TPM, and one whose TPM is another.
func TestWithoutTheRightTPM(t *testing.T) {
	m := newMachine(t)
	m.enroll("", m.log)
	m.noTPM = unlock.ErrNoTPM
	m.answers = []string{string(m.key.Passphrase())}
	opened, err := m.unlock()
	m.check(err)
	if opened.Note.Why != volumes.WhyNoTPM || opened.Note.Measured {
		t.Errorf("note %+v", opened.Note)
	}
	m.says("not opened by the TPM: this machine has no TPM")

	other := newMachine(t)
	other.volume, other.noTPM = m.volume, nil
	if _, _, err := seal.EnsureSRK(other.tpm, []byte("")); err != nil {
		t.Fatal(err)
	}
	clearTPM(t, other)
	if _, _, err := seal.EnsureSRK(other.tpm, nil); err != nil {
		t.Fatal(err)
	}
	other.boot(other.log)
	other.answers = []string{string(m.key.Passphrase())}
	opened, err = other.unlock()
	m.check(err)
	if opened.Note.Why != volumes.WhyParent || !opened.Note.Measured {
		t.Errorf("note %+v", opened.Note)
	}
	other.says("it was sealed by another TPM, or this one was cleared")
}

// The right passphrase of the TPM, in a header whose keyslot was destroyed.
func TestAStaleSecret(t *testing.T) {
	m := newMachine(t)
	m.enroll("", m.log)
	m.check(m.volume.KillSlot(t.Context(), m.slot, []byte(passphrase)))
	// Its token refers to no keyslot any more, and so it does not open.
	m.answers = []string{string(m.key.Passphrase())}
	opened, err := m.unlock()
	m.check(err)
	if opened.Note.By != volumes.ByRecoveryKey {
		t.Errorf("note %+v", opened.Note)
	}
	if slot, err := m.volume.AddKey(t.Context(), []byte(passphrase), []byte("another secret"), 1); err != nil || slot != m.slot {
		t.Fatal(slot, err)
	}
	m.enroll("", m.log)
	m.answers = []string{string(m.key.Passphrase())}
	m.boot(m.log)
	opened, err = m.unlock()
	m.check(err)
	if opened.Note.Why != volumes.WhyStale {
		t.Errorf("note %+v", opened.Note)
	}
}

// A trial says which token opens, and changes nothing.
func TestTrial(t *testing.T) {
	m := newMachine(t)
	m.register()
	m.options = func(o *unlock.Options) { o.Trial = true }
	if _, err := m.unlock(); !errors.Is(err, unlock.ErrClosed) || len(m.prompts) != 0 {
		t.Errorf("%v, asked %q", err, m.prompts)
	}
	m.says("not opened by the TPM: it is not enrolled with one")
	id := m.enroll("this boot", m.log)
	opened, err := m.unlock()
	m.check(err)
	if *opened.Note.Token != id || opened.Note.Measured {
		t.Errorf("note %+v", opened.Note)
	}
	if got := m.pcr(pcr.SHA256, 15); !got.Equal(pcr.Reset(pcr.SHA256, 15, 0)) {
		t.Errorf("PCR 15 was extended: %s", got)
	}
}

func TestTokensThatCannotBeReadAreTold(t *testing.T) {
	m := newMachine(t)
	_, err := m.volume.ImportToken(t.Context(), []byte(`{"type":"bootseal","keyslots":["0"],"version":1,"paths":[{"token":99}]}`))
	m.check(err)
	m.enroll("", m.log)
	if _, err := m.unlock(); err != nil {
		t.Error(err)
	}
	m.says("token 0 (bootseal)", "opened by the TPM, token 1")
}

func TestTokensWithoutAPINComeFirst(t *testing.T) {
	m := newMachine(t)
	m.pin = []byte("1234")
	m.enroll("with a PIN", m.log)
	m.pin = nil
	id := m.enroll("without", m.log)
	opened, err := m.unlock()
	m.check(err)
	if *opened.Note.Token != id || len(m.prompts) != 0 {
		t.Errorf("note %+v, asked %q", opened.Note, m.prompts)
	}
}

func TestPIN(t *testing.T) {
	m := newMachine(t)
	m.lockAfter(5)
	m.pin = []byte("1234")
	m.enroll("", m.log)
	m.answers = []string{"4321", "1234"}
	opened, err := m.unlock()
	m.check(err)
	if opened.Note.By != volumes.ByToken {
		t.Errorf("note %+v", opened.Note)
	}
	m.says("root: wrong PIN, which the TPM counts: it takes 4 more")
	if !slices.Equal(m.prompts, []string{"PIN for root (Enter alone: recovery key): ", "PIN for root (Enter alone: recovery key): "}) {
		t.Errorf("%q", m.prompts)
	}
}

// Where no token is for this boot, no PIN is asked for; Enter alone costs nothing; and in
// lockout nothing is tried.
func TestNoTryIsBurnt(t *testing.T) {
	m := newMachine(t)
	m.lockAfter(2)
	m.pin = []byte("1234")
	m.enroll("", recorded(t, boots.Upgraded).Log)
	key := string(m.key.Passphrase())
	m.answers = []string{key}
	_, err := m.unlock()
	m.check(err)
	if len(m.prompts) != 1 || !strings.HasPrefix(m.prompts[0], "Recovery key") {
		t.Errorf("asked %q", m.prompts)
	}

	m.boot(m.log)
	m.enroll("", m.log)
	m.answers = []string{"", key}
	opened, err := m.unlock()
	m.check(err)
	if opened.Note.Why != volumes.WhyPIN || m.failures() != 0 {
		t.Errorf("note %+v, %d wrong tries", opened.Note, m.failures())
	}

	m.boot(m.log)
	m.answers = []string{"1", "2", key}
	opened, err = m.unlock()
	m.check(err)
	if opened.Note.Why != volumes.WhyLockout || m.failures() != 2 {
		t.Errorf("note %+v, %d wrong tries", opened.Note, m.failures())
	}
	m.says("it takes 1 more", "it takes 0 more", "not opened by the TPM: it is in lockout after too many wrong PINs; it forgets one every 10m0s")

	m.boot(m.log)
	m.answers = []string{key}
	opened, err = m.unlock()
	m.check(err)
	if opened.Note.Why != volumes.WhyLockout || len(m.prompts) != 1 {
		t.Errorf("note %+v, asked %q", opened.Note, m.prompts)
	}
}
