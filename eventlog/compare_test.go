package eventlog_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/bootseal/bootseal/eventlog"
	"github.com/bootseal/bootseal/pcr"
)

func compare(t *testing.T, a, b *eventlog.Log) []eventlog.Difference {
	t.Helper()
	d, err := eventlog.Compare(a, b)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// Two boots of the same software differ in addresses, which are not measured.
func TestCompareSameSoftware(t *testing.T) {
	for _, name := range secondBoots {
		chain, _, _ := strings.Cut(name, "/")
		if strings.HasPrefix(chain, "b-") {
			continue // has no log of its first boot
		}
		if d := compare(t, loadBoot(t, chain+"/1-k54-firstboot").log, loadBoot(t, name).log); len(d) != 0 {
			t.Errorf("%s: %v", chain, d)
		}
	}
}

// The demo's tampering: one bit of GRUB.
func TestCompareOneBit(t *testing.T) {
	a := loadBoot(t, secondBoots[0]).log
	b := a.Clone()
	for _, d := range b.Events[33].Digests {
		d[0] ^= 1
	}
	got := compare(t, a, b)
	if len(got) != 1 {
		t.Fatalf("have %v", got)
	}
	from := a.Events[33].Digests[pcr.SHA256].String()
	to := b.Events[33].Digests[pcr.SHA256].String()
	want := fmt.Sprintf("PCR 4, event 33 (GRUB, /EFI/BOOT/grubx64.efi): digest %s... instead of %s...", to[:16], from[:16])
	if got[0].String() != want || got[0].From != from || got[0].To != to || got[0].Stage != eventlog.Shim {
		t.Errorf("have %s\nwant %s", got[0], want)
	}
}

// edit returns a copy of the first chain's log with its events changed.
func edit(t *testing.T, change func(events []eventlog.Event) []eventlog.Event) (a, b *eventlog.Log) {
	a = loadBoot(t, secondBoots[0]).log
	b = a.Clone()
	b.Events = change(b.Events)
	b.Renumber()
	return a, b
}

func TestCompareKinds(t *testing.T) {
	type events = []eventlog.Event
	for _, c := range []struct {
		name   string
		change func(events) events
		want   []string
	}{
		{"removed", func(e events) events { return append(e[:44], e[45:]...) },
			[]string{`PCR 8, event 44 of the first log (GRUB command): removed, "set timeout_style=hidden"`}},
		{"removed program", func(e events) events { return append(e[:33], e[34:]...) },
			[]string{`PCR 4, event 33 of the first log (GRUB, /EFI/BOOT/grubx64.efi): removed, digest `}},
		{"moved", func(e events) events { e[44], e[45] = e[45], e[44]; return e },
			[]string{`PCR 8, event 45 (GRUB command): moved, it was event 44`}},
		{"other PCR", func(e events) events { e[44].PCR = 9; return e },
			[]string{`PCR 8, event 44 of the first log (GRUB command): removed`, `PCR 9, event 44 (GRUB command): added`}},
		{"no longer measured", func(e events) events { e[44].Type = eventlog.NoAction; return e },
			[]string{`PCR 8, event 44 of the first log (GRUB command): removed`}},
		{"order of different PCRs", func(e events) events { e[37], e[38] = e[38], e[37]; return e }, nil},
		// The text says what was measured only if the digest bears it out.
		{"changed digest behind unchanged words", func(e events) events { e[52].Digests[pcr.SHA256][0] ^= 1; return e },
			[]string{`PCR 8, event 52 (GRUB command): digest `}},
	} {
		a, b := edit(t, c.change)
		got := compare(t, a, b)
		if len(got) != len(c.want) {
			t.Errorf("%s: have %v, want %d differences", c.name, got, len(c.want))
			continue
		}
		for i := range got {
			if !strings.HasPrefix(got[i].String(), c.want[i]) {
				t.Errorf("%s: have %s\nwant %s", c.name, got[i], c.want[i])
			}
		}
	}
}

// Long texts that differ late show the place where they differ.
func TestCompareShowsThePlace(t *testing.T) {
	long := strings.Repeat("x=1 ", 100)
	a, b := eventlog.New(pcr.SHA256), eventlog.New(pcr.SHA256)
	for l, end := range map[*eventlog.Log]string{a: "quiet", b: "init=/bin/sh"} {
		l.Measure(8, eventlog.IPL, []byte("kernel_cmdline: "+long+end+"\x00"), []byte(long+end))
	}
	got := compare(t, a, b)
	if len(got) != 1 || !strings.Contains(got[0].String(), `x=1 init=/bin/sh" instead of "...`) {
		t.Errorf("have %v", got)
	}
}

func TestCompareLocality(t *testing.T) {
	a, b := small(), small()
	b.Append(0, eventlog.NoAction, locality(3), nil)
	got := compare(t, a, b)
	if len(got) != 1 || got[0].String() != `PCR 0 (locality at which the TPM was started): "3" instead of "0"` {
		t.Errorf("have %v", got)
	}
}

func TestCompareWithoutCommonBank(t *testing.T) {
	if d, err := eventlog.Compare(eventlog.New(pcr.SHA1), eventlog.New(pcr.SHA256)); err == nil {
		t.Errorf("have %v, want an error", d)
	}
}

// A hostile pair of logs must not take quadratic memory or time.
func TestCompareLargeLogs(t *testing.T) {
	a, b := eventlog.New(pcr.SHA256), eventlog.New(pcr.SHA256)
	for i := range 5000 {
		for l, s := range map[*eventlog.Log]string{a: fmt.Sprint("a", i), b: fmt.Sprint("b", i)} {
			l.Measure(8, eventlog.IPL, []byte("grub_cmd: "+s), []byte(s))
		}
	}
	if got := compare(t, a, b); len(got) != 10000 {
		t.Errorf("have %d differences, want 5000 removed and 5000 added", len(got))
	}
}
