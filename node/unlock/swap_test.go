package unlock_test

import (
	"errors"
	"os/exec"
	"testing"

	"github.com/bootseal/bootseal/luks"
	"github.com/bootseal/bootseal/node/unlock"
	"github.com/bootseal/bootseal/pcr"
	"github.com/bootseal/bootseal/seal"
	"github.com/google/go-tpm/tpm2"
)

func clearTPM(t *testing.T, m *machine) {
	t.Helper()
	if _, err := (tpm2.Clear{AuthHandle: tpm2.AuthHandle{Handle: tpm2.TPMRHLockout, Auth: tpm2.PasswordAuth(nil)}}).Execute(m.tpm); err != nil {
		t.Fatal(err)
	}
}

// swap puts another volume in the place of the machine's: with the same UUID, the same
// tokens, and a secret of the thief's own that the same TPM has sealed.
func swap(m *machine, uuid string) {
	m.Helper()
	thief := m.format("thief")
	m.check(exec.CommandContext(m.Context(), m.tool.Path, "luksUUID", "--batch-mode", "--uuid", uuid, thief.Path()).Run())
	m.volume, m.secret = thief, []byte("what the thief has chosen to know")
	m.paths = nil
	m.slot = m.addKey(luks.Passphrase(m.secret))
}

func TestASwappedVolumeIsRefused(t *testing.T) {
	m := newMachine(t)
	m.register()
	real := m.enroll("", m.log)
	before := m.volume
	swap(m, m.uuid())
	m.enroll("", m.log)

	opened, err := m.unlock()
	if !errors.Is(err, unlock.ErrSwapped) || opened != nil {
		t.Errorf("%v, %v", opened, err)
	}
	m.says("bootseal: root: REFUSED: this is not the disk that this machine was set up with\n", "bootseal:   its volume key is another one", "The TPM opens nothing until the next boot.")
	if len(m.prompts) != 0 {
		t.Errorf("asked %q", m.prompts)
	}
	// The right disk does not open in this boot any more, and does in the next.
	m.volume = before
	if opened, err := m.unlock(); opened != nil {
		t.Errorf("opened by token %v, %v", opened.Note.Token, err)
	}
	m.boot(m.log)
	opened, err = m.unlock()
	m.check(err)
	if *opened.Note.Token != real {
		t.Errorf("note %+v", opened.Note)
	}
}

// Who sits at the console and knows a passphrase of the other disk gets no further.
func TestASwappedVolumeIsRefusedWhoeverTypes(t *testing.T) {
	m := newMachine(t)
	m.register()
	swap(m, m.uuid())
	m.answers = []string{passphrase}
	if _, err := m.unlock(); !errors.Is(err, unlock.ErrSwapped) {
		t.Error(err)
	}
	if got := m.pcr(pcr.SHA256, 7); got.Equal(m.logValue(7)) {
		t.Error("the TPM is still open")
	}
}

func TestAVolumeOfAnotherUUIDIsRefused(t *testing.T) {
	m := newMachine(t)
	m.register()
	swap(m, "11111111-2222-4333-8444-555555555555")
	m.enroll("", m.log)
	if _, err := m.unlock(); !errors.Is(err, unlock.ErrSwapped) {
		t.Error(err)
	}
	m.says("its UUID is 11111111-2222-4333-8444-555555555555")
}

// A trial does not close the TPM.
func TestATrialOfASwappedVolume(t *testing.T) {
	m := newMachine(t)
	m.register()
	swap(m, m.uuid())
	m.enroll("", m.log)
	m.options = func(o *unlock.Options) { o.Trial = true }
	if _, err := m.unlock(); !errors.Is(err, unlock.ErrSwapped) {
		t.Error(err)
	}
	if got := m.pcr(pcr.SHA256, 7); !got.Equal(m.logValue(7)) {
		t.Error("the TPM was closed")
	}
}

func (m *machine) logValue(n int) pcr.Digest {
	m.Helper()
	values, err := m.log.Replay()
	m.check(err)
	return values[pcr.SHA256][n]
}

// Whoever holds the disk names a parent key of their own; the list knows the right one.
func TestTheParentIsTheListed(t *testing.T) {
	m := newMachine(t)
	m.register()
	handle := seal.Handle(0x81000123)
	other := persist(t, m, handle)
	m.enrollFor("", pcr.Values{pcr.SHA256: allValues(m)}, seal.Options{Secret: m.secret, Parent: other})
	if opened, _ := m.unlock(); opened != nil {
		t.Errorf("note %+v", opened.Note)
	}
	m.says("bootseal: root: not opened by the TPM: token and list name two TPM keys\n")
}

func allValues(m *machine) map[int]pcr.Digest {
	m.Helper()
	values, err := m.log.Replay()
	m.check(err)
	return values[pcr.SHA256]
}

// persist makes another storage key at a handle.
func persist(t *testing.T, m *machine, h seal.Handle) seal.Parent {
	t.Helper()
	owner := tpm2.AuthHandle{Handle: tpm2.TPMRHOwner, Auth: tpm2.PasswordAuth(nil)}
	key, err := tpm2.CreatePrimary{PrimaryHandle: owner, InPublic: tpm2.New2B(tpm2.RSASRKTemplate)}.Execute(m.tpm)
	m.check(err)
	_, err = tpm2.EvictControl{Auth: owner, ObjectHandle: &tpm2.NamedHandle{Handle: key.ObjectHandle, Name: key.Name}, PersistentHandle: tpm2.TPMHandle(h)}.Execute(m.tpm)
	m.check(err)
	_, err = tpm2.FlushContext{FlushHandle: key.ObjectHandle}.Execute(m.tpm)
	m.check(err)
	parent, err := seal.ReadParent(m.tpm, h)
	m.check(err)
	return parent
}
