package eventlog_test

import (
	"bytes"
	"encoding/binary"
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/bootseal/bootseal/eventlog"
	"github.com/bootseal/bootseal/pcr"
)

// measured returns an event whose digests are the hash of something.
func measured(index int, t eventlog.Type, data, hashed []byte) *eventlog.Event {
	l := eventlog.New(pcr.Banks()...)
	return l.Measure(index, t, data, hashed)
}

func utf16le(s string) []byte {
	var b []byte
	for _, u := range utf16.Encode([]rune(s)) {
		b = binary.LittleEndian.AppendUint16(b, u)
	}
	return b
}

// variable encodes a UEFI_VARIABLE_DATA.
func variable(guid, name string, data []byte) []byte {
	g, err := eventlog.ParseGUID(guid)
	if err != nil {
		panic(err)
	}
	b := g[:]
	b = binary.LittleEndian.AppendUint64(b, uint64(len(name)))
	b = binary.LittleEndian.AppendUint64(b, uint64(len(data)))
	return append(append(b, utf16le(name)...), data...)
}

const globalVariable = "8be4df61-93ca-11d2-aa0d-00e098032b8c"

// What programs hash beside the plain data, each for one program.
func TestCheckVariants(t *testing.T) {
	separator := make([]byte, 4)
	boot := variable(globalVariable, "BootOrder", []byte{1, 0})
	cmdline := utf16le("quiet\x00")
	authority := variable("605dab50-e046-4300-abb6-3dd810dd8b23", "Shim", []byte("certificate"))
	pad := func(b []byte, tail ...byte) []byte { return append(bytes.Clone(b), tail...) }
	for _, c := range []struct {
		name   string
		pcr    int
		typ    eventlog.Type
		data   []byte
		hashed []byte
		want   eventlog.Status
	}{
		{"separator", 0, eventlog.SeparatorType, separator, separator, eventlog.Explained},
		{"separator of other data", 0, eventlog.SeparatorType, separator, []byte("x"), eventlog.Mismatch},
		{"separator with an error", 0, eventlog.SeparatorType, []byte("why"), []byte{1, 0, 0, 0}, eventlog.Explained},
		{"action", 4, eventlog.EFIAction, []byte("Calling"), []byte("Calling"), eventlog.Explained},
		{"action with a NUL", 4, eventlog.EFIAction, []byte("Calling\x00"), []byte("Calling"), eventlog.Explained},
		{"action of other text", 4, eventlog.EFIAction, []byte("Calling"), []byte("calling"), eventlog.Mismatch},
		{"boot variable, contents", 1, eventlog.EFIVariableBoot, boot, []byte{1, 0}, eventlog.Explained},
		{"boot variable, whole structure", 1, eventlog.EFIVariableBoot, boot, boot, eventlog.Explained},
		{"other variables never by contents", 7, eventlog.EFIVariableConfig, boot, []byte{1, 0}, eventlog.Mismatch},
		{"shim before 15.2", 7, eventlog.EFIVariableAuthority, boot, append(bytes.Clone(boot), 0, 0, 0, 0, 0), eventlog.Explained},
		{"shim before 15.2, logged with its padding", 7, eventlog.EFIVariableAuthority, pad(authority, 0, 0, 0, 0, 0, 0xaf), pad(authority, 0, 0, 0, 0, 0), eventlog.Explained},
		{"padding that is not shim's", 7, eventlog.EFIVariableAuthority, pad(authority, 0, 0, 1, 0, 0, 0xaf), pad(authority, 0, 0, 0, 0, 0), eventlog.Mismatch},
		{"padding that is too long", 7, eventlog.EFIVariableAuthority, pad(authority, 0, 0, 0, 0, 0, 0, 0), pad(authority, 0, 0, 0, 0, 0), eventlog.Mismatch},
		{"padding of another variable", 7, eventlog.EFIVariableConfig, pad(boot, 0, 0, 0, 0, 0), boot, eventlog.Mismatch},
		{"malformed variable, hashed as it is", 7, eventlog.EFIVariableConfig, []byte("x"), []byte("x"), eventlog.Explained},
		{"malformed variable", 7, eventlog.EFIVariableConfig, []byte("x"), []byte("y"), eventlog.Mismatch},
		{"GRUB", 8, eventlog.IPL, []byte("grub_cmd: ls\x00"), []byte("ls"), eventlog.Explained},
		{"GRUB with its prefix", 8, eventlog.IPL, []byte("grub_cmd: ls\x00"), []byte("grub_cmd: ls"), eventlog.Mismatch},
		{"GRUB of RHEL 8", 8, eventlog.IPL, []byte("grub_cmd ls\x00"), []byte("ls\x00"), eventlog.Explained},
		{"command line of RHEL 8", 8, eventlog.IPL, []byte("grub_kernel_cmdline /v ro\x00"), []byte("/v ro"), eventlog.Explained},
		{"GRUB in Latin-1", 8, eventlog.IPL, []byte("grub_cmd: echo \xe9\x00"), []byte("echo \xe9"), eventlog.Explained},
		{"GRUB's file", 9, eventlog.IPL, []byte("/boot/vmlinuz\x00"), []byte("MZ"), eventlog.NotExplainable},
		{"load options", 12, eventlog.IPL, cmdline, cmdline, eventlog.Explained},
		{"load options without NUL", 12, eventlog.IPL, cmdline, cmdline[:len(cmdline)-2], eventlog.Explained},
		{"load options of other text", 12, eventlog.IPL, cmdline, []byte("x"), eventlog.Mismatch},
		{"credentials", 12, eventlog.IPL, utf16le("Credentials initrd\x00"), []byte("070701"), eventlog.NotExplainable},
		{"section name", 11, eventlog.IPL, utf16le(".linux\x00"), []byte(".linux\x00"), eventlog.Explained},
		{"section contents", 11, eventlog.IPL, utf16le(".linux\x00"), []byte("MZ"), eventlog.NotExplainable},
		{"MokListTrusted", 14, eventlog.IPL, []byte("MokListTrusted\x00"), []byte{1}, eventlog.Explained},
		{"program", 4, eventlog.EFIBootApplication, make([]byte, 32), []byte("MZ"), eventlog.NotExplainable},
		{"program, never by its event", 4, eventlog.EFIBootApplication, make([]byte, 32), make([]byte, 32), eventlog.NotExplainable},
		{"unmeasured", 0, eventlog.NoAction, []byte("x"), []byte("y"), eventlog.NotMeasured},
	} {
		got := eventlog.Check(measured(c.pcr, c.typ, c.data, c.hashed))
		if got.Status != c.want {
			t.Errorf("%s: have %s, want %s", c.name, got.Status, c.want)
		}
	}
}

// One bank that tells another story than the others is a mismatch, even where
// the digest could be that of a file.
func TestCheckBanksDisagree(t *testing.T) {
	e := measured(11, eventlog.IPL, utf16le(".linux\x00"), []byte(".linux\x00"))
	e.Digests[pcr.SHA1] = pcr.SHA1.Sum([]byte("MZ"))
	got := eventlog.Check(e)
	if got.Status != eventlog.Mismatch || len(got.Banks) != 1 || got.Banks[0] != pcr.SHA1 {
		t.Errorf("have %+v, want a mismatch in sha1", got)
	}
}

// Whatever data of a real log is changed, its digest no longer bears it out.
func TestCheckFindsChangedData(t *testing.T) {
	l := loadBoot(t, secondBoots[0]).log.Clone()
	for i := range l.Events {
		e := &l.Events[i]
		if eventlog.Check(e).Status != eventlog.Explained || len(e.Data) == 0 {
			continue
		}
		at := len(e.Data) / 2
		e.Data[at] ^= 0x20
		if got := eventlog.Check(e); got.Status == eventlog.Explained {
			t.Errorf("event %d (%s): still explained by %s", i, e.Type, got.What)
		}
	}
}

// Hostile text cannot move the cursor, forge lines, or fill the screen.
func TestTextIsSafeToPrint(t *testing.T) {
	evil := "grub_cmd: echo \x1b[2J\nPCR 4 agrees\u202e\x07" + strings.Repeat("A", 5000) + "\x00"
	got := eventlog.Decode(measured(8, eventlog.IPL, []byte(evil), nil)).String()
	if strings.ContainsAny(got, "\x1b\n\x07\u202e") || len(got) > 300 {
		t.Errorf("have %q", got)
	}
}
