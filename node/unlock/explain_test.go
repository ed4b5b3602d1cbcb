package unlock_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/bootseal/bootseal/eventlog"
	"github.com/bootseal/bootseal/internal/boots"
	"github.com/bootseal/bootseal/node/expect"
	"github.com/bootseal/bootseal/node/unlock"
	"github.com/bootseal/bootseal/node/volumes"
	"github.com/bootseal/bootseal/pcr"
)

// expectation is what is written beside the boot files for the boot with the log.
func expectation(t *testing.T, label string, log *eventlog.Log) expect.Boot {
	t.Helper()
	values, err := log.Replay()
	if err != nil {
		t.Fatal(err)
	}
	pcrs := map[int]pcr.Digest{}
	for _, i := range sealedTo.Indexes() {
		pcrs[i] = values[pcr.SHA256][i]
	}
	return expect.New(label, pcr.SHA256, pcrs, log)
}

// changed returns the log with another digest in the event whose explanation has the
// text, and the event's number.
func changed(t *testing.T, log *eventlog.Log, index int, text string) (*eventlog.Log, int) {
	t.Helper()
	log = log.Clone()
	for i, x := range eventlog.Explain(log) {
		if x.PCR == index && strings.Contains(x.Text, text) {
			for bank, d := range log.Events[i].Digests {
				log.Events[i].Digests[bank] = bank.Sum(d)
			}
			return log, i
		}
	}
	t.Fatalf("no event of PCR %d is about %q", index, text)
	return nil, 0
}

func (m *machine) evidence(expected ...expect.Boot) {
	m.options = func(o *unlock.Options) {
		o.Evidence.Expected = func(_ context.Context, uuid string) ([]expect.Boot, error) {
			if uuid != m.uuid() {
				m.Errorf("asked for %s", uuid)
			}
			return expected, nil
		}
	}
}

// Somebody has changed the boot loader: the console names PCR and event, and which of
// the expected boots it is nearest to.
func TestTheEventThatDiffersIsNamed(t *testing.T) {
	m := newMachine(t)
	upgraded := recorded(t, boots.Upgraded).Log
	m.enroll("Debian, kernel 6.1.0-54", m.log)
	m.enroll("Debian, kernel 6.1.0-56", upgraded)
	m.evidence(expectation(t, "Debian, kernel 6.1.0-54", m.log), expectation(t, "Debian, kernel 6.1.0-56", upgraded))
	tampered, number := changed(t, upgraded, 4, "grubx64.efi")
	m.boot(tampered)
	m.answers = []string{string(m.key.Passphrase())}
	opened, err := m.unlock()
	m.check(err)
	m.says("nearest of 2 expected: Debian, kernel 6.1.0-56", "grubx64.efi", "its digest is ")
	n := opened.Note
	if n.Nearest != "Debian, kernel 6.1.0-56" || len(n.Differences) != 1 || n.Differences[0].PCR != 4 || !strings.Contains(n.Differences[0].Event, "grubx64.efi") {
		t.Errorf("note %+v", n)
	}
	if want := m.pcr(pcr.SHA256, 4); !n.Differences[0].Have.Equal(want) || n.Why != volumes.WhyPCRs {
		t.Errorf("note %+v", n)
	}
	m.sees("PCR 4 differs at event %d: ", number)
}

func (m *machine) sees(format string, args ...any) {
	m.Helper()
	m.says(fmt.Sprintf(format, args...))
}

// Of a long command line to whose end somebody has added a word, that end is on the console.
func TestTheEndOfALongCommandLine(t *testing.T) {
	const last = " nowatchdog"
	line := "linux /vmlinuz-6.1.0-54 root=/dev/mapper/root ro quiet " + strings.Repeat("rd.luks.name=0a1b2c3d-1111-4222-8333-444455556666=data ", 8) + "end" + last
	m := newMachine(t)
	boot := func(line string) *eventlog.Log {
		log := m.log.Clone()
		for i := range log.Events {
			if e := &log.Events[i]; e.PCR == 8 && strings.HasPrefix(string(e.Data), "grub_cmd: linux") {
				e.Data = []byte("grub_cmd: " + line + "\x00")
				for bank := range e.Digests {
					e.Digests[bank] = bank.Sum([]byte(line))
				}
			}
		}
		return log
	}
	m.enroll("Debian, kernel 6.1.0-54", boot(line))
	m.evidence(expectation(t, "Debian, kernel 6.1.0-54", boot(line)))
	m.boot(boot(line + " init=/bin/sh"))
	m.answers = []string{string(m.key.Passphrase())}
	_, err := m.unlock()
	m.check(err)
	m.says("PCR 8 differs at event", "GRUB ran: linux /vmlinuz-6.1.0-54 ...", "nowatchdog init=/bin/sh (", "expected: GRUB ran: linux")
}

// An event that comes on top, and one that stays away.
func TestEventsThatCameAndWentAreNamed(t *testing.T) {
	m := newMachine(t)
	m.enroll("Debian", m.log)
	m.evidence(expectation(t, "Debian", m.log))
	expected := m.log
	more := expected.Clone()
	more.Measure(9, eventlog.IPL, []byte("/boot/extra.img\x00"), []byte("contents"))
	less := expected.Clone()
	for i, x := range eventlog.Explain(less) {
		if x.PCR == 7 && strings.Contains(x.Text, "dbx") {
			less.Events = append(less.Events[:i], less.Events[i+1:]...)
			break
		}
	}
	for _, c := range []struct {
		log  *eventlog.Log
		says string
	}{
		{more, "is not expected: "}, {less, "PCR 7 differs, an event is missing: "},
	} {
		m.boot(c.log)
		_, err := m.unlock()
		if !errors.Is(err, unlock.ErrClosed) {
			t.Error(err)
		}
		m.says(c.says)
	}
	m.says("dbx")
}

// What is only known of PCR values is told without events: no log, a log that was
// changed, no file, a file that does not lead to the values.
func TestExplanationsAreHeldAgainstValues(t *testing.T) {
	m := newMachine(t)
	m.enroll("Debian", m.log)
	good := expectation(t, "Debian", m.log)
	expected := m.log
	tampered, _ := changed(t, expected, 4, "grubx64.efi")
	forged, _ := changed(t, expected, 4, "shim")
	lying := expectation(t, "Debian", m.log)
	first := slices.IndexFunc(lying.Events, func(e expect.Event) bool { return e.PCR == 4 })
	lying.Events[first].Digest = pcr.SHA256.Sum([]byte("x"))
	for _, c := range []struct {
		name     string
		log      *eventlog.Log
		expected []expect.Boot
		says     string
	}{
		{"all is there", tampered, []expect.Boot{lying, good}, "PCR 4 differs at event"},
		{"no log", nil, []expect.Boot{good}, "PCR 4 differs: "},
		{"a log that was changed", forged, []expect.Boot{good}, "the event log does not explain it"},
		{"no expectation", tampered, nil, "PCR 4 differs: "},
		{"an expectation that was changed", tampered, []expect.Boot{lying}, "PCR 4 differs: "},
	} {
		t.Run(c.name, func(t *testing.T) {
			m.boot(tampered)
			m.evidence(c.expected...)
			m.log = c.log
			if _, err := m.unlock(); !errors.Is(err, unlock.ErrClosed) {
				t.Error(err)
			}
			m.says("nearest of 1 expected: Debian", c.says)
			if strings.Contains(m.console.String(), "event 3") != strings.Contains(c.says, "at event") {
				t.Error(m.console.String())
			}
		})
	}
}

// Evidence that cannot be had keeps nobody from the recovery key.
func TestEvidenceThatFails(t *testing.T) {
	m := newMachine(t)
	m.enroll("Debian", recorded(t, boots.Upgraded).Log)
	m.options = func(o *unlock.Options) {
		o.Evidence.Log = func() (*eventlog.Log, error) { return nil, errors.New("securityfs is not mounted") }
	}
	m.answers = []string{string(m.key.Passphrase())}
	if _, err := m.unlock(); err != nil {
		t.Error(err)
	}
	m.says("no event log: securityfs is not mounted", "PCR 4 differs: ", "PCR 8 differs: ", "PCR 9 differs: ")
	m.boot(recorded(t, boots.Second).Log)
	m.options = func(o *unlock.Options) {
		o.Evidence.Expected = func(context.Context, string) ([]expect.Boot, error) {
			return nil, errors.New("a disk that cannot be read")
		}
	}
	m.answers = []string{string(m.key.Passphrase())}
	if _, err := m.unlock(); err != nil {
		t.Error(err)
	}
	m.says("no expected events: a disk that cannot be read")
}

// Two expected boots differ in the same PCR: nearest is the one with fewer events that do,
// though the other's token is newer.
func TestTheNearestByEvents(t *testing.T) {
	m := newMachine(t)
	another := m.log.Clone()
	for i := range another.Events {
		if e := &another.Events[i]; e.PCR == 8 && i%2 == 0 {
			for bank, d := range e.Digests {
				e.Digests[bank] = bank.Sum(d)
			}
		}
	}
	m.enroll("the menu's first", m.log)
	m.enroll("the menu's second", another)
	m.evidence(expectation(t, "the menu's first", m.log), expectation(t, "the menu's second", another))
	edited, _ := changed(t, m.log, 8, "linux")
	m.boot(edited)
	m.answers = []string{string(m.key.Passphrase())}
	_, err := m.unlock()
	m.check(err)
	m.says("nearest of 2 expected: the menu's first")
}
