package unlock_test

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/bootseal/bootseal/eventlog"
	"github.com/bootseal/bootseal/internal/boots"
	"github.com/bootseal/bootseal/internal/reboot"
	"github.com/bootseal/bootseal/luks"
	"github.com/bootseal/bootseal/luks/cryptsetup"
	"github.com/bootseal/bootseal/luks/recoverykey"
	"github.com/bootseal/bootseal/node/enrollment"
	"github.com/bootseal/bootseal/node/unlock"
	"github.com/bootseal/bootseal/node/volumes"
	"github.com/bootseal/bootseal/pcr"
	"github.com/bootseal/bootseal/seal"
	"github.com/bootseal/bootseal/vtpm/vtpmtest"
	"github.com/google/go-tpm/tpm2/transport"
)

// machine is a node at boot: a TPM, a volume in a file that is enrolled for recorded
// boots, and a console with somebody at it.
type machine struct {
	*testing.T
	tpm     *vtpmtest.TPM
	tool    *cryptsetup.Tool
	volume  *cryptsetup.Volume
	slot    int // of the TPM's secret
	secret  []byte
	pin     []byte
	key     *recoverykey.Key
	list    *volumes.List
	log     *eventlog.Log // of the running boot
	paths   []luks.Path
	console strings.Builder
	answers []string // that somebody types
	prompts []string
	noTPM   error
	options func(*unlock.Options)
}

const (
	name       = "root"
	passphrase = "chosen by a person"
)

var sealedTo = pcr.Select(4, 7, 8, 9)

// newMachine returns a machine with a volume that is not enrolled yet, booted with the
// second recorded boot.
func newMachine(t *testing.T) *machine {
	t.Helper()
	tool, err := cryptsetup.Find(t.Context())
	if errors.Is(err, cryptsetup.ErrMissing) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	m := &machine{T: t, tpm: vtpmtest.Open(t), tool: tool, list: new(volumes.List), secret: []byte("32 bytes that only the TPM knows")}
	m.volume = m.format("volume")
	m.key = recoverykey.New()
	m.addKey(m.key.Passphrase())
	m.slot = m.addKey(luks.Passphrase(m.secret))
	m.boot(recorded(t, boots.Second).Log)
	return m
}

func (m *machine) format(file string) *cryptsetup.Volume {
	m.Helper()
	path := filepath.Join(m.TempDir(), file)
	m.check(os.WriteFile(path, nil, 0o600))
	m.check(os.Truncate(path, 20<<20))
	v, err := m.tool.Volume(path)
	m.check(err)
	m.check(v.Format(m.Context(), []byte(passphrase), cryptsetup.Quick))
	return v
}

func (m *machine) addKey(key []byte) int {
	m.Helper()
	slot, err := m.volume.AddKey(m.Context(), []byte(passphrase), key, cryptsetup.Quick)
	m.check(err)
	return slot
}

func (m *machine) check(err error) {
	m.Helper()
	if err != nil {
		m.Fatal(err)
	}
}

func recorded(t *testing.T, name boots.Name) *boots.Boot {
	t.Helper()
	b, err := boots.Load(name)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// boot reboots the machine with a log.
func (m *machine) boot(log *eventlog.Log) {
	m.Helper()
	m.check(reboot.VTPM(m.tpm.TPM, log))
	m.log = log
	m.console.Reset()
	m.prompts = nil
}

// enroll adds a token for the boot with the log, and tells people about it if it has a
// label. It returns the token's number.
func (m *machine) enroll(label string, log *eventlog.Log) int {
	m.Helper()
	values, err := log.Replay()
	m.check(err)
	return m.enrollFor(label, values, seal.Options{Secret: m.secret})
}

func (m *machine) enrollFor(label string, values pcr.Values, o seal.Options) int {
	m.Helper()
	var err error
	o.Policy, err = enrollment.LiteralPolicy(label, values, pcr.BankSelection{Bank: pcr.SHA256, PCRs: sealedTo}, m.pin != nil)
	m.check(err)
	o.PIN = m.pin
	sealed, err := seal.Seal(m.tpm, o)
	m.check(err)
	token, err := enrollment.NewToken(sealed, m.slot)
	m.check(err)
	release := luks.Systemd257
	if sealed.Parent.Template != "" {
		release = luks.Systemd252
	}
	text, err := token.For(release)
	m.check(err)
	id, err := m.volume.ImportToken(m.Context(), text)
	m.check(err)
	if label != "" {
		m.expect(luks.Path{Token: id, Label: label, Bank: pcr.SHA256, PCRs: sealed.Policy.Branches[0].PCRs})
	}
	return id
}

// expect adds a path to the bootseal token, which is the last one.
func (m *machine) expect(p luks.Path) {
	m.Helper()
	m.paths = append(m.paths, p)
	text, err := (&luks.Boot{Keyslots: []int{m.slot}, Paths: m.paths}).MarshalJSON()
	m.check(err)
	h, err := m.volume.Header()
	m.check(err)
	if old := enrollment.Inspect(h).Boot(); old != nil {
		m.check(m.volume.RemoveToken(m.Context(), old.ID))
	}
	_, err = m.volume.ImportToken(m.Context(), text)
	m.check(err)
}

func (m *machine) uuid() string {
	m.Helper()
	h, err := m.volume.Header()
	m.check(err)
	return h.UUID
}

// register puts the volume into the list, as enrolling does.
func (m *machine) register() {
	m.Helper()
	key, err := m.volume.VolumeKey(m.Context(), []byte(passphrase))
	m.check(err)
	srk, _, err := seal.EnsureSRK(m.tpm, nil)
	m.check(err)
	m.list.Put(volumes.Volume{UUID: m.uuid(), Name: name, Identity: volumes.Identify(key, name, m.uuid()), Parent: srk.Name})
}

// unlock opens the volume.
func (m *machine) unlock() (*unlock.Opened, error) {
	m.Helper()
	o := unlock.Options{
		Volume: m.volume, Name: name, List: m.list, Ask: m, Console: unlock.NewConsole(io.MultiWriter(&m.console, m.Output())), Tries: 3,
		Now: func() time.Time { return time.Date(2026, 11, 30, 3, 0, 0, 0, time.UTC) },
		TPM: func(context.Context) (transport.TPMCloser, error) {
			if m.noTPM != nil {
				return nil, m.noTPM
			}
			return notClosed{m.tpm}, nil
		},
	}
	o.Evidence.Log = func() (*eventlog.Log, error) { return m.log, nil }
	if m.options != nil {
		m.options(&o)
	}
	opened, err := unlock.Open(m.Context(), o)
	if opened != nil {
		m.check(m.volume.Test(m.Context(), opened.Passphrase, opened.Keyslot))
	}
	return opened, err
}

type notClosed struct{ transport.TPM }

func (notClosed) Close() error { return nil }

// Ask answers as a person would.
func (m *machine) Ask(_ context.Context, prompt string) ([]byte, error) {
	m.prompts = append(m.prompts, prompt)
	if len(m.answers) == 0 {
		return nil, unlock.ErrNoAnswer
	}
	answer := m.answers[0]
	m.answers = m.answers[1:]
	return []byte(answer), nil
}

// says demands that the console shows texts.
func (m *machine) says(texts ...string) {
	m.Helper()
	shown := m.console.String()
	joined := strings.ReplaceAll(shown, "\nbootseal:     ", " ")
	joined = strings.ReplaceAll(joined, "\nbootseal:   ", " ")
	for _, text := range texts {
		if !strings.Contains(shown, text) && !strings.Contains(joined, text) {
			m.Errorf("%q is not on the console:\n%s", text, m.console.String())
		}
	}
}

func (m *machine) pcr(bank pcr.Bank, n int) pcr.Digest {
	m.Helper()
	v, err := seal.ReadPCRs(m.tpm, pcr.BankSelection{Bank: bank, PCRs: pcr.Select(n)})
	m.check(err)
	return v[bank][n]
}

func (m *machine) failures() uint32 {
	m.Helper()
	l, err := seal.ReadLockout(m.tpm)
	m.check(err)
	return l.Failures
}

// lockAfter sets how many wrong PINs the TPM takes (TPM2_DictionaryAttackParameters, which
// go-tpm does not have), and that it forgets one every ten minutes.
func (m *machine) lockAfter(n byte) {
	m.Helper()
	command := []byte{
		0x80, 0x02, 0, 0, 0, 39, 0, 0, 0x01, 0x3A, 0x40, 0, 0, 0x0A, // TPM_RH_LOCKOUT
		0, 0, 0, 9, 0x40, 0, 0, 0x09, 0, 0, 0, 0, 0, // TPM_RS_PW, no password
		0, 0, 0, n, 0, 0, 0x02, 0x58, 0, 0, 0x02, 0x58,
	}
	response, err := m.tpm.Send(command)
	m.check(err)
	if rc := [4]byte(response[6:]); rc != [4]byte{} {
		m.Fatalf("response code %x", rc)
	}
}

// enrollGuarded adds a token with a rollback guard for the boot with the log.
func (m *machine) enrollGuarded(label string, guard seal.Guard, log *eventlog.Log) {
	m.Helper()
	values, err := log.Replay()
	m.check(err)
	policy, err := enrollment.LiteralPolicy(label, values, pcr.BankSelection{Bank: pcr.SHA256, PCRs: sealedTo}, m.pin != nil)
	m.check(err)
	policy.Guard = &guard
	s, err := seal.Seal(m.tpm, seal.Options{Secret: m.secret, Policy: policy, PIN: m.pin})
	m.check(err)
	text, err := (&luks.BootsealTPM2{
		Keyslots: []int{m.slot}, Object: luks.Blob{Private: s.Private, Public: s.Public}, PCRs: sealedTo, Bank: pcr.SHA256,
		Parent: luks.TPM2Parent{Handle: uint32(s.Parent.Handle), Name: s.Parent.Name},
		Guard:  &luks.TPM2Guard{Index: uint32(guard.Index), Name: guard.Name, Value: guard.Value},
		PIN:    m.pin != nil, Salt: s.PINSalt,
	}).MarshalJSON()
	m.check(err)
	id, err := m.volume.ImportToken(m.Context(), text)
	m.check(err)
	m.expect(luks.Path{Token: id, Label: label, Bank: pcr.SHA256, PCRs: policy.Branches[0].PCRs})
}
