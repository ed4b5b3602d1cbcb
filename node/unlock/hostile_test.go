package unlock_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/bootseal/bootseal/eventlog"
	"github.com/bootseal/bootseal/internal/boots"
	"github.com/bootseal/bootseal/luks"
	"github.com/bootseal/bootseal/node/unlock"
	"github.com/bootseal/bootseal/node/volumes"
	"github.com/bootseal/bootseal/pcr"
	"github.com/google/go-tpm/tpm2/transport"
)

// failing is a TPM that goes away after some commands.
type failing struct {
	transport.TPM
	left int
}

var errGone = errors.New("read /dev/tpmrm0: no such device")

func (f *failing) Send(command []byte) ([]byte, error) {
	if f.left--; f.left < 0 {
		return nil, errGone
	}
	return f.TPM.Send(command)
}

func (f *failing) Close() error { return nil }

// The TPM goes away after each of the commands that it takes: either it has opened the
// volume by then, or the recovery key does.
func TestTheTPMGoesAway(t *testing.T) {
	m := newMachine(t)
	m.register()
	m.enroll("", m.log)
	key := string(m.key.Passphrase())
	opens := 0
	for n := range 100 {
		m.boot(m.log)
		tpm := &failing{TPM: m.tpm, left: n}
		m.options = func(o *unlock.Options) {
			o.TPM = func(context.Context) (transport.TPMCloser, error) { return tpm, nil }
		}
		m.answers = []string{key}
		opened, err := m.unlock()
		m.check(err)
		switch opened.Note.By {
		case volumes.ByRecoveryKey:
			if opened.Note.Why != volumes.WhyTPM || opens > 0 {
				t.Errorf("after %d commands: note %+v", n, opened.Note)
			}
		case volumes.ByToken:
			opens++
		}
		if opened.Note.Measured {
			if n < 5 || opens < 2 {
				t.Errorf("%d commands sufficed, %d times it was not measured", n, opens-1)
			}
			return
		}
	}
	t.Error("100 commands do not suffice")
}

// A header of somebody else's making: whatever it says, nothing else than an error or
// the question for the recovery key comes of it.
func TestAHostileHeader(t *testing.T) {
	m := newMachine(t)
	m.enroll("a boot", m.log)
	image, err := os.ReadFile(m.volume.Path())
	m.check(err)
	for _, c := range []struct {
		name   string
		damage func(image []byte)
		says   string
	}{
		{"the first copy overwritten", func(b []byte) { clear(b[:0x4000]) }, ""},
		{"both copies overwritten", func(b []byte) { clear(b[:0x8000]) }, "not a LUKS volume"},
		{"both copies damaged", func(b []byte) { b[0x1100] ^= 1; b[0x5100] ^= 1 }, "the LUKS2 header is damaged"},
		{"a size beyond all measure", func(b []byte) {
			binary.BigEndian.PutUint64(b[8:], 1<<62)
			binary.BigEndian.PutUint64(b[0x4008:], 1<<62)
		}, "a header of 4611686018427387904 bytes"},
		{"cut off", func(b []byte) { clear(b[0x1000:0x4000]); clear(b[0x4000:]) }, "damaged"},
	} {
		t.Run(c.name, func(t *testing.T) {
			damaged := bytes.Clone(image)
			c.damage(damaged)
			m.check(os.WriteFile(m.volume.Path(), damaged, 0o600))
			m.boot(recorded(t, boots.Second).Log)
			opened, err := m.unlock()
			if (opened != nil) != (c.says == "") || c.says != "" && !strings.Contains(err.Error(), c.says) {
				t.Errorf("%v, %v: want %q", opened, err, c.says)
			}
		})
	}
}

// Tokens of somebody else's making, among them the right one.
func TestHostileTokens(t *testing.T) {
	m := newMachine(t)
	for _, text := range []string{
		`{"type":"bootseal","keyslots":["0"],"version":1,"paths":[{"token":3,"label":"\u001b[2J","bank":"sha256","pcrs":{}}]}`,
		`{"type":"bootseal","keyslots":["0"],"version":1,"paths":[{"token":3,"label":"none of it","bank":"sha256","pcrs":{"4":"AAAA"}}]}`,
		`{"type":"bootseal-tpm2","keyslots":["1"],"version":1}`,
		`{"type":"clevis","keyslots":["1"],"jwe":{}}`,
		`{"type":"\u001b[31m","keyslots":[]}`,
	} {
		_, err := m.volume.ImportToken(t.Context(), []byte(text))
		m.check(err)
	}
	// An object that no TPM made, for the boot as it is.
	id := m.enroll("", m.log)
	h, err := m.volume.Header()
	m.check(err)
	token, err := luks.ParseToken(id, h.Metadata.Tokens[id])
	m.check(err)
	forged := token.(*luks.SystemdTPM2)
	forged.Shards[0].Private = bytes.Repeat([]byte{0xFF}, len(forged.Shards[0].Private))
	text, err := forged.MarshalJSON()
	m.check(err)
	m.check(m.volume.ReplaceToken(t.Context(), id, text))
	right := m.enroll("", m.log)
	opened, err := m.unlock()
	m.check(err)
	if *opened.Note.Token != right {
		t.Errorf("note %+v", opened.Note)
	}
	if strings.ContainsRune(m.console.String(), '\x1b') {
		t.Errorf("%q", m.console.String())
	}
}

// A device whose reads fail, as a dying disk's.
func TestADeviceThatCannotBeRead(t *testing.T) {
	m := newMachine(t)
	m.enroll("", m.log)
	v, err := m.tool.Volume(t.TempDir()) // reading a folder is EISDIR
	m.check(err)
	m.volume, m.options = v, nil
	if _, err := m.unlock(); err == nil || !strings.Contains(err.Error(), "it cannot be read") {
		t.Error(err)
	}
}

// Logs and files of expected events that anybody may have written.
func FuzzExplain(f *testing.F) {
	log := eventlog.New(pcr.SHA256)
	log.Measure(4, eventlog.SeparatorType, make([]byte, 4), make([]byte, 4))
	for _, command := range []string{"linux /boot/vmlinuz", "initrd /boot/initrd.img"} {
		log.Measure(8, eventlog.IPL, []byte("grub_cmd: "+command+"\x00"), []byte(command))
	}
	seed, err := log.Bytes()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(seed, "GRUB\x1b[2J", uint16(3), byte(8))
	f.Fuzz(func(t *testing.T, data []byte, words string, at uint16, index byte) {
		log, err := eventlog.Parse(data, eventlog.Limits{})
		if err != nil {
			return
		}
		var b strings.Builder
		unlock.ExplainForTest(log, words, int(at), int(index)%24, unlock.NewConsole(&b))
		for line := range strings.Lines(b.String()) {
			if len(line) > 81 || strings.ContainsFunc(line[:len(line)-1], func(r rune) bool { return r < ' ' || r >= 0x7F }) {
				t.Errorf("%q", line)
			}
		}
	})
}
