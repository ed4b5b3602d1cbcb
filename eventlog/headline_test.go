package eventlog_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/bootseal/bootseal/eventlog"
)

// An upgrade of the kernel is a headline or two, whatever the chain.
func TestUpgradeHeadlines(t *testing.T) {
	for chain, want := range map[string]string{
		"a-shim-grub-sb": `grub grub.cfg: other contents [9]
kernel kernel 6.1.0-54-cloud-amd64 to 6.1.0-56-cloud-amd64 [4 8 9]
kernel initial ramdisk: other contents [9]
`,
		"b-shim-grub-nosb": `grub grub.cfg: other contents [9]
kernel kernel 6.1.0-54-cloud-amd64 to 6.1.0-56-cloud-amd64 [8 9]
kernel initial ramdisk: other contents [9]
`,
		"c-uki-nosb": `firmware unified kernel image /EFI/BOOT/BOOTX64.EFI is another program [4]
systemd-stub section .linux of the unified kernel image: other contents [11]
systemd-stub section .osrel of the unified kernel image: other contents [11]
systemd-stub section .initrd of the unified kernel image: other contents [11]
kernel kernel is another [4]
kernel initial ramdisk: other contents [9]
`,
		"d-sdboot-type1-sb": `kernel kernel 6.1.0-54-cloud-amd64 to 6.1.0-56-cloud-amd64 [4 12]
kernel kernel command line, as the kernel received it is another [9]
kernel initial ramdisk: other contents [9]
`,
		"e-efistub-nosb": "kernel kernel is another [4]\n",
	} {
		a := loadBoot(t, chain+"/2-k54-second").log
		b := loadBoot(t, chain+"/3-k56-upgraded").log
		d, err := eventlog.Compare(a, b)
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		for _, h := range eventlog.Headlines(d) {
			got += fmt.Sprintln(h.Stage, h.Text, h.PCRs)
		}
		if got != want {
			t.Errorf("%s: headlines are\n%swant\n%s", chain, got, want)
		}
	}
}

// What else happens to a machine has its own words.
func TestHeadlines(t *testing.T) {
	a := loadBoot(t, "a-shim-grub-sb/2-k54-second").log
	for _, test := range []struct {
		name   string
		change func(l *eventlog.Log)
		want   string
	}{
		{"Secure Boot", func(l *eventlog.Log) {
			editVariable(t, l, "SecureBoot", func(b []byte) []byte { b[len(b)-1] = 0; return b })
		}, "SecureBoot on to off"},
		{"dbx", func(l *eventlog.Log) {
			editVariable(t, l, "dbx", func(b []byte) []byte {
				list := slices.Clone(b[len(b)-76:])
				list[75] ^= 1
				b = append(b, list...)
				b[24] += 76
				return b
			})
		}, "dbx 1 to 2 entries"},
		{"another level", func(l *eventlog.Log) {
			editVariable(t, l, "SbatLevel", func(b []byte) []byte { return []byte(strings.Replace(string(b), "2025021800", "2026010100", 1)) })
		}, "SBAT revocation level 2025021800 to 2026010100"},
		{"a boot entry", func(l *eventlog.Log) {
			editVariable(t, l, "Boot0003", func(b []byte) []byte { b[len(b)-20] ^= 1; return b })
		}, "boot entry Boot0003: "},
	} {
		b := a.Clone()
		test.change(b)
		d, err := eventlog.Compare(a, b)
		if err != nil {
			t.Fatal(err)
		}
		h := eventlog.Headlines(d)
		if len(h) != 1 || !strings.HasPrefix(h[0].Text, test.want) {
			t.Errorf("%s: %+v, want %q", test.name, h, test.want)
		}
	}
}

// editVariable changes the data of the event with a variable, and its digests.
func editVariable(t *testing.T, l *eventlog.Log, variable string, change func([]byte) []byte) {
	t.Helper()
	for i := range l.Events {
		e := &l.Events[i]
		v, ok := eventlog.Decode(e).(eventlog.Variable)
		if !ok || v.Name != variable {
			continue
		}
		e.Data = change(slices.Clone(e.Data))
		for b := range e.Digests {
			e.Digests[b] = b.Sum(e.Data)
		}
		return
	}
	t.Fatalf("no variable %s in the log", variable)
}
