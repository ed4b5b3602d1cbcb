package eventlog_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io/fs"
	"os"
	"strings"
	"testing"

	"github.com/bootseal/bootseal/eventlog"
	"github.com/bootseal/bootseal/pcr"
)

// small returns a log of a header and one separator in PCR 4, in two banks.
func small() *eventlog.Log {
	l := eventlog.New(pcr.SHA1, pcr.SHA256)
	l.Measure(4, eventlog.SeparatorType, make([]byte, 4), make([]byte, 4))
	return l
}

func encode(t testing.TB, l *eventlog.Log) []byte {
	t.Helper()
	b, err := l.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// patch returns a copy of b with the bytes at off replaced.
func patch(b []byte, off int, with ...byte) []byte {
	b = bytes.Clone(b)
	copy(b[off:], with)
	return b
}

func le32(n uint32) []byte { return binary.LittleEndian.AppendUint32(nil, n) }

func TestParseErrors(t *testing.T) {
	good := encode(t, small())
	l, err := eventlog.Parse(good, eventlog.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	at := l.Events[1].Offset // PCR, type, count, alg, 20 bytes, alg, 32 bytes, size, data
	for _, c := range []struct {
		name, want string
		data       []byte
		limits     eventlog.Limits
	}{
		{name: "nothing", data: nil, want: "the event log is empty (0 bytes)"},
		{name: "only padding", data: make([]byte, 100), want: "no events: all of its 100 bytes are zero"},
		{name: "text", data: []byte("root:x:0:0:root:/root:/bin/sh\n"), want: "not an event log, or a damaged one: event 0"},
		{name: "gzip", data: []byte("\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03"), want: "not an event log, or a damaged one"},
		{name: "truncated data", data: good[:len(good)-1], want: "parse event 1 (EV_SEPARATOR, offset 69): 4 bytes of event data announced, 3 left: the log is truncated"},
		{name: "truncated digests", data: good[:at+20], want: "event 1 (EV_SEPARATOR, offset 69): the log ends within its digests"},
		{name: "truncated header", data: good[:at+6], want: "the log ends within its header"},
		{name: "PCR 24", data: patch(good, at, 24), want: "there is no PCR 24"},
		{name: "PCR 4294967295", data: patch(good, at, 255, 255, 255, 255), want: "there is no PCR 4294967295"},
		{name: "three digests of two", data: patch(good, at+8, 3), want: "3 digests: the header lists 2 algorithms"},
		{name: "unlisted bank", data: patch(good, at+12, 0x0C), want: "a digest of sha384, which the header does not list"},
		{name: "same bank twice", data: patch(good, at+34, 0x04), want: "two digests of sha1"},
		{name: "huge event", data: patch(good, at+68, 0xff, 0xff, 0xff, 0xff), want: "4294967295 bytes of event data announced: the limit is 1048576"},
		{name: "garbage behind the padding", data: append(append(bytes.Clone(good), make([]byte, 40)...), "junk"...), want: "event 4"},
		{name: "garbage behind the log", data: append(bytes.Clone(good), 1), want: "parse event 2 (EV_PREBOOT_CERT, offset 145): the log ends within its header"},
		{name: "no algorithms", data: patch(good, 32+24, 0), want: "the header lists 0 digest algorithms"},
		{name: "many algorithms", data: patch(good, 32+24, 255, 255, 255, 255), want: "the header lists 4294967295 digest algorithms"},
		{name: "wrong digest size", data: patch(good, 32+30, 19), want: "the header gives sha1 a digest of 19 bytes"},
		{name: "algorithm twice", data: patch(good, 32+32, 4, 0, 20), want: "the header lists sha1 twice"},
		{name: "short header", data: patch(good, 28, 30), want: "the header is cut short in its list"},
		{name: "too big", data: good, limits: eventlog.Limits{Size: 10}, want: "more than 10 bytes"},
		{name: "too many events", data: good, limits: eventlog.Limits{Events: 1}, want: "more than 1 events"},
		{name: "too big an event", data: good, limits: eventlog.Limits{EventSize: 2}, want: "37 bytes of event data announced: the limit is 2"},
	} {
		l, err := eventlog.Parse(c.data, c.limits)
		if err == nil || !strings.Contains(err.Error(), c.want) || l != nil {
			t.Errorf("%s:\nhave %v\nwant %s", c.name, err, c.want)
		}
		if err != nil && strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: more than one line: %q", c.name, err)
		}
	}
	if _, err := eventlog.Parse(nil, eventlog.Limits{}); !errors.Is(err, eventlog.ErrEmpty) {
		t.Errorf("nothing: have %v, want ErrEmpty", err)
	}
}

func TestReadDirectory(t *testing.T) {
	f, err := os.Open("testdata")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	_, err = eventlog.Read(f, eventlog.Limits{})
	var pathErr *fs.PathError
	if !errors.As(err, &pathErr) || !strings.Contains(err.Error(), "read event log: ") {
		t.Errorf("have %v, want the reader's error", err)
	}
}

// Limits hold before the whole input is in memory.
func TestReadStopsAtTheLimit(t *testing.T) {
	endless := readerFunc(func(p []byte) (int, error) { return len(p), nil })
	if _, err := eventlog.Read(endless, eventlog.Limits{Size: 1000}); err == nil || !strings.Contains(err.Error(), "more than 1000 bytes") {
		t.Errorf("have %v", err)
	}
}

type readerFunc func(p []byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

// Firmware offers the memory area that it reserved, filled up with zeros.
func TestParsePadding(t *testing.T) {
	good := encode(t, small())
	l, err := eventlog.Parse(append(bytes.Clone(good), make([]byte, 1000)...), eventlog.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	if l.Padding != 1000 || len(l.Events) != 2 || len(l.Events[1].Data) != 4 {
		t.Errorf("have padding %d and %d events", l.Padding, len(l.Events))
	}
}

// Memory that was never written can be 0xFF, too: in the CCEL tables of confidential VMs.
func TestParseUnwritten(t *testing.T) {
	good := encode(t, small())
	ones := func(n int) []byte { return bytes.Repeat([]byte{0xff}, n) }
	l, err := eventlog.Parse(append(bytes.Clone(good), ones(1000)...), eventlog.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	if l.Unwritten != 1000 || l.Padding != 0 || len(l.Events) != 2 {
		t.Errorf("have %d bytes, padding %d and %d events", l.Unwritten, l.Padding, len(l.Events))
	}
	for what, rest := range map[string][]byte{
		"so few may be an event's": ones(7),
		"zeros behind them":        append(ones(100), 0),
		"zeros before them":        append(make([]byte, 8), ones(100)...),
		"another byte in them":     append(append(ones(50), 0xfe), ones(50)...),
	} {
		if _, err := eventlog.Parse(append(bytes.Clone(good), rest...), eventlog.Limits{}); err == nil {
			t.Errorf("%s: no error", what)
		}
	}
	if _, err := eventlog.Parse(ones(1000), eventlog.Limits{}); err == nil {
		t.Error("nothing but such bytes is a log")
	}
}

// A log that ends at any byte but an event's last is an error, never a shorter
// log: truncation must not pass unnoticed. (Where the missing bytes would have
// been zero, nothing can be told from padding; see the separator's data.)
func TestParseEveryTruncation(t *testing.T) {
	b := loadBoot(t, "e-efistub-nosb/2-k54-second")
	ends := map[int]bool{len(b.data): true}
	for _, e := range b.log.Events {
		ends[e.Offset] = true
	}
	for n := 1; n <= len(b.data); n++ {
		_, err := eventlog.Parse(b.data[:n], eventlog.Limits{})
		if zero := len(bytes.TrimRight(b.data[:n], "\x00")); err == nil && !endsBetween(ends, zero, n) {
			t.Errorf("%d of %d bytes: no error", n, len(b.data))
		}
		if err != nil && ends[n] {
			t.Errorf("%d bytes are whole events: %v", n, err)
		}
	}
}

func endsBetween(ends map[int]bool, lo, hi int) bool {
	for i := lo; i <= hi; i++ {
		if ends[i] {
			return true
		}
	}
	return false
}

func TestParseSHA1Logs(t *testing.T) {
	separator := append(append(append(le32(4), le32(4)...), pcr.SHA1.Sum(make([]byte, 4))...), 4, 0, 0, 0, 0, 0, 0, 0)
	header := func(signature string, extra ...byte) []byte {
		data := append([]byte(signature+"\x00"), 0, 0, 0, 0, 2, 1, 3, 0, byte(len(extra)))
		data = append(data, extra...)
		b := append(le32(0), le32(3)...)
		b = append(b, make([]byte, 20)...)
		return append(append(b, le32(uint32(len(data)))...), data...)
	}
	for _, c := range []struct {
		name   string
		prefix []byte
		spec   string
		events int
	}{
		{"no header", nil, "", 1},
		{"BIOS", header("Spec ID Event00"), "Spec ID Event00", 2},
		{"EFI with TPM 1.2", header("Spec ID Event02", 'v', 'x'), "Spec ID Event02", 2},
	} {
		data := append(bytes.Clone(c.prefix), separator...)
		l, err := eventlog.Parse(data, eventlog.Limits{})
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		if l.Spec.Signature != c.spec || len(l.Events) != c.events || l.Spec.CryptoAgile() {
			t.Errorf("%s: have %q, %d events", c.name, l.Spec.Signature, len(l.Events))
		}
		values, err := l.Replay()
		if err != nil {
			t.Fatal(err)
		}
		if got, _ := values.Get(pcr.SHA1, 4); got.String() != "b2a83b0ebf2f8374299a5b2bdfc31ea955ad7236" {
			t.Errorf("%s: PCR 4 is %s", c.name, got)
		}
		if back := encode(t, l); !bytes.Equal(back, data) {
			t.Errorf("%s: encodes to other bytes", c.name)
		}
	}
}

// A bank that this package cannot compute does not keep a log from being read.
func TestParseUnknownBank(t *testing.T) {
	l := eventlog.New(pcr.SHA256, pcr.SM3)
	e := l.Measure(4, eventlog.SeparatorType, make([]byte, 4), make([]byte, 4))
	e.Digests[pcr.SM3] = make(pcr.Digest, 32)
	back, err := eventlog.Parse(encode(t, l), eventlog.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	values, err := back.Replay()
	if err != nil || len(values.Banks()) != 1 || values.Banks()[0] != pcr.SHA256 {
		t.Errorf("have %v, %v; want sha256 alone", values.Banks(), err)
	}
	if got := eventlog.Check(&back.Events[1]); got.Status != eventlog.Explained {
		t.Errorf("have %v", got)
	}
}

func TestWriteRefusesWhatItCannotEncode(t *testing.T) {
	for name, digests := range map[string]map[pcr.Bank]pcr.Digest{
		"a bank that the header does not list": {pcr.SHA384: make(pcr.Digest, 48)},
		"a digest of the wrong size":           {pcr.SHA1: make(pcr.Digest, 32)},
	} {
		l := small()
		l.Append(0, eventlog.PostCode, nil, digests)
		if _, err := l.Bytes(); err == nil || !strings.Contains(err.Error(), "encode event 2 (EV_POST_CODE)") {
			t.Errorf("%s: have %v", name, err)
		}
	}
}

// Numbers and offsets of written events are those that Parse gives them.
func TestWrittenEventsAreNumbered(t *testing.T) {
	l := small()
	l.Measure(8, eventlog.IPL, []byte("grub_cmd: ls\x00"), []byte("ls"))
	l.Events = append(l.Events[:1], l.Events[2:]...) // drop the separator
	l.Measure(5, eventlog.EFIAction, []byte("x"), []byte("x"))
	l.Renumber()
	back, err := eventlog.Parse(encode(t, l), eventlog.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	for i, e := range back.Events {
		if e.Index != l.Events[i].Index || e.Offset != l.Events[i].Offset {
			t.Errorf("event %d: number %d, offset %d; parsed %d, %d", i, l.Events[i].Index, l.Events[i].Offset, e.Index, e.Offset)
		}
	}
}
