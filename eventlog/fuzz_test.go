package eventlog_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"unicode"

	"github.com/bootseal/bootseal/eventlog"
	"github.com/bootseal/bootseal/pcr"
)

// checkLine fails for text that is more than one line or could drive a terminal.
func checkLine(t *testing.T, s string) {
	t.Helper()
	if s == "" || strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) }) {
		t.Errorf("not a printable line: %q", s)
	}
}

// Any input is an error of one line, or a log that encodes to itself, replays to
// values that verify, and explains and compares without a panic.
func FuzzParse(f *testing.F) {
	f.Add(loadBoot(f, "e-efistub-nosb/2-k54-second").data)
	f.Add(loadBoot(f, "c-uki-nosb/3-k56-upgraded").data)
	f.Add(encode(f, small()))
	f.Add([]byte("Spec ID Event03\x00"))
	f.Fuzz(func(t *testing.T, data []byte) {
		l, err := eventlog.Parse(data, eventlog.Limits{})
		if err != nil {
			checkLine(t, err.Error())
			return
		}
		back, err := l.Bytes()
		if err != nil {
			t.Fatal(err)
		}
		again, err := eventlog.Parse(back, eventlog.Limits{})
		if err != nil || len(again.Events) != len(l.Events) || len(back)+l.Padding+l.Unwritten != len(data) {
			t.Fatalf("encodes to a log of %d bytes, not %d: %v", len(back), len(data)-l.Padding-l.Unwritten, err)
		}
		values, err := l.Replay()
		if err != nil {
			t.Fatal(err)
		}
		verdicts, err := eventlog.Verify(l, values)
		if err != nil || len(values) > 0 && !eventlog.Verified(verdicts) {
			t.Fatalf("does not verify against itself: %v", err)
		}
		for _, x := range eventlog.Explain(l) {
			checkLine(t, x.Text)
		}
		if d, err := eventlog.Compare(l, again); err != nil || len(d) != 0 {
			t.Fatalf("differs from itself: %v, %v", d, err)
		}
	})
}

// Any data of any type decodes to a printable line and a body that encodes. If
// the data itself was hashed, only GRUB's strings can be a mismatch: of those,
// the prefix is not hashed.
func FuzzDecode(f *testing.F) {
	for _, name := range secondBoots {
		for _, e := range loadBoot(f, name).log.Events {
			if len(e.Data) < 300 { // small seeds; certificates are x509's own business
				f.Add(uint32(e.Type), uint8(e.PCR), e.Data)
			}
		}
	}
	f.Fuzz(func(t *testing.T, typ uint32, index uint8, data []byte) {
		e := measured(int(index%pcr.Count), eventlog.Type(typ), data, data)
		before := bytes.Clone(data)
		body := eventlog.Decode(e)
		checkLine(t, body.String())
		if body.Kind() == "" {
			t.Error("no kind")
		}
		if _, err := json.Marshal(body); err != nil {
			t.Error(err)
		}
		if c := eventlog.Check(e); c.Status == eventlog.Mismatch {
			b, ok := body.(eventlog.BootString)
			if !ok || b.Source != eventlog.GRUBCommand && b.Source != eventlog.KernelCommand && b.Source != eventlog.ModuleCommand {
				t.Errorf("%s: mismatch of its own hash", body)
			}
		}
		if !bytes.Equal(data, before) {
			t.Error("the data was changed")
		}
	})
}
