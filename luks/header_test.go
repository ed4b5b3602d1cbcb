package luks

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
)

func TestRead(t *testing.T) {
	h, err := Read(bytes.NewReader(sample(t)))
	if err != nil {
		t.Fatal(err)
	}
	if h.Which != Primary || h.Stale != nil || h.Offset != 0 || h.Size != 0x4000 {
		t.Errorf("copy %+v, stale %v", h.Copy, h.Stale)
	}
	if h.Label != "node" || h.UUID != "6d1f1f2a-3f5e-4b8e-9d52-0f6f0c0b5ea1" || h.Subsystem != "" {
		t.Errorf("label %q, UUID %q, subsystem %q", h.Label, h.UUID, h.Subsystem)
	}
	if got := h.Metadata.TokenIDs(); !slices.Equal(got, []int{0, 1, 2, 3, 4, 5}) {
		t.Errorf("tokens %v", got)
	}
	room := h.Room()
	if room.Tokens != 26 || room.Keyslots != 26 || room.Bytes+h.Metadata.Length+1 != 12288 {
		t.Errorf("room %+v with %d bytes of text", room, h.Metadata.Length)
	}
	if k := h.Metadata.Keyslots[1]; k.KDF.Type != "pbkdf2" || k.KDF.Hash != "sha512" || k.KDF.Iterations != 1000 || k.KeySize != 64 {
		t.Errorf("systemd's keyslot: %+v", k)
	}
	if id, err := h.Metadata.FreeToken(); id != 6 || err != nil {
		t.Errorf("free token %d, %v", id, err)
	}
}

func TestReadTakesTheGoodCopy(t *testing.T) {
	for _, c := range []struct {
		reason string
		change func(primary, secondary []byte)
		which  Which
		stale  string
	}{
		{"a byte of the primary's text flipped", func(p, _ []byte) { p[5000] ^= 1 }, Secondary, "primary copy: the checksum does not match"},
		{"the primary overwritten", func(p, _ []byte) { clear(p) }, Secondary, "primary copy: not a LUKS volume"},
		{"a byte of the secondary flipped", func(_, s []byte) { s[100] ^= 1 }, Primary, "secondary copy: the checksum does not match"},
		{"a write that ended between the copies", func(p, _ []byte) { setSeqID(p, 1000) }, Primary, "is behind 1000"},
		{"a secondary that is newer", func(_, s []byte) { setSeqID(s, 1000) }, Secondary, "is behind 1000"},
		{"a text that is no JSON, with its checksum", func(p, _ []byte) { p[binarySize] = '['; resum(p) }, Secondary, "primary copy: metadata: not a JSON object"},
		{"a primary moved here from elsewhere", func(p, _ []byte) { p[263] = 1; resum(p) }, Secondary, "it says to be at offset 1"},
	} {
		b := sample(t)
		c.change(b[:0x4000], b[0x4000:])
		h, err := Read(bytes.NewReader(b))
		if err != nil {
			t.Errorf("%s: %v", c.reason, err)
			continue
		}
		if h.Which != c.which || h.Stale == nil || !strings.Contains(h.Stale.Error(), c.stale) {
			t.Errorf("%s: took the %s copy, stale: %v", c.reason, h.Which, h.Stale)
		}
	}
}

func TestReadRefuses(t *testing.T) {
	both := func(change func([]byte)) func([]byte) []byte {
		return func(b []byte) []byte {
			for _, c := range [][]byte{b[:0x4000], b[0x4000:]} {
				change(c)
				resum(c)
			}
			return b
		}
	}
	for _, c := range []struct {
		reason string
		change func([]byte) []byte
		want   error
		says   string
	}{
		{"an empty file", func([]byte) []byte { return nil }, ErrNotLUKS, ""},
		{"zeros", func([]byte) []byte { return make([]byte, 1<<16) }, ErrNotLUKS, ""},
		{"LUKS1", func(b []byte) []byte { b[7] = 1; return b }, ErrLUKS1, "convert"},
		{"a version of the future", both(func(c []byte) { c[7] = 3 }), ErrDamaged, "LUKS version 3: want 2"},
		{"both copies flipped", func(b []byte) []byte { b[5000] ^= 1; b[0x4000+5000] ^= 1; return b }, ErrDamaged, "primary copy: the checksum does not match; secondary"},
		{"cut off in the first copy", func(b []byte) []byte { return b[:8000] }, ErrDamaged, "unexpected EOF"},
		{"a size that would fill the memory", both(func(c []byte) { binary.BigEndian.PutUint64(c[8:], 1<<63) }), ErrDamaged, "a header of 9223372036854775808 bytes"},
		{"a second copy of another size than the first", func(b []byte) []byte { b[0] = 0; binary.BigEndian.PutUint64(b[0x4008:], 0x8000); return b }, ErrDamaged, "that is the second at offset 16384"},
		{"a size of nothing", both(func(c []byte) { clear(c[8:16]) }), ErrDamaged, "a header of 0 bytes"},
		{"a text without end", both(func(c []byte) { copy(c[binarySize:], bytes.Repeat([]byte(" "), len(c))) }), ErrDamaged, "the JSON area has no end"},
		{"a label without end", both(func(c []byte) { copy(c[24:72], bytes.Repeat([]byte("x"), 48)) }), ErrDamaged, "the label has no end"},
		{"a checksum that is not known", both(func(c []byte) { copy(c[72:], "md5\x00") }), ErrDamaged, `checksum algorithm "md5" is not known`},
		{"an empty text", both(func(c []byte) { clear(c[binarySize:]) }), ErrDamaged, "metadata: not JSON"},
	} {
		_, err := Read(bytes.NewReader(c.change(sample(t))))
		if !errors.Is(err, c.want) || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v", c.reason, err)
		}
	}
}

func TestReadReturnsTheReadersError(t *testing.T) {
	broken := errors.New("input/output error")
	_, err := Read(readerAt{iotest.ErrReader(broken)})
	if !errors.Is(err, broken) || errors.Is(err, ErrDamaged) {
		t.Error(err)
	}
}

type readerAt struct{ io.Reader }

func (r readerAt) ReadAt(p []byte, _ int64) (int, error) { return r.Read(p) }

func TestParseMetadataRefuses(t *testing.T) {
	const rest = `"tokens":{},"segments":{},"digests":{},"config":{}`
	for _, c := range []struct{ text, says string }{
		{`[]`, "not a JSON object"},
		{`{` + rest + `}`, `field "keyslots": it is missing`},
		{`{"keyslots":{"32":{}},` + rest + `}`, `field "keyslots": "32": want a number from 0 to 31`},
		{`{"keyslots":{"01":{}},` + rest + `}`, `field "keyslots": "01"`},
		{`{"keyslots":{"1":{},"1":{}},` + rest + `}`, `field "keyslots": field "1" comes twice`},
		{`{"keyslots":{},"keyslots":{},` + rest + `}`, `field "keyslots" comes twice`},
		{`{"keyslots":{"1":[]},` + rest + `}`, `field "keyslots": 1: json`},
		{`{"keyslots":{},` + rest + `}x`, "something follows"},
	} {
		if _, err := ParseMetadata([]byte(c.text)); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v", c.text, err)
		}
	}
}

// A token that cannot be read does not hide the volume, nor the other tokens.
func TestADamagedTokenHidesNothing(t *testing.T) {
	m := sampleMetadata(t)
	m.Tokens[1] = []byte(`{"type":"systemd-tpm2","keyslots":["2"],"tpm2-blob":"?"}`)
	all, err := m.AllTokens()
	var damaged *TokenError
	if len(all) != 5 || !errors.As(err, &damaged) || damaged.ID != 1 {
		t.Errorf("%d tokens, %v", len(all), err)
	}
}

func TestFull(t *testing.T) {
	m := &Metadata{Keyslots: map[int]Keyslot{}}
	for i := range MaxKeyslots {
		m.Keyslots[i] = Keyslot{}
	}
	if _, err := m.FreeKeyslot(); !errors.Is(err, ErrFull) {
		t.Error(err)
	}
}

func TestALabelCannotSteerATerminal(t *testing.T) {
	b := sample(t)
	copy(b[24:], "a\x1b[2Jb\xff\x00")
	resum(b[:0x4000])
	h, err := Read(bytes.NewReader(b))
	if err != nil || h.Label != "a\uFFFD[2Jb\uFFFD" {
		t.Errorf("%q, %v", h.Label, err)
	}
}

func BenchmarkRead(b *testing.B) {
	r := bytes.NewReader(sample(b))
	for b.Loop() {
		h, err := Read(r)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := h.Metadata.AllTokens(); err != nil {
			b.Fatal(err)
		}
	}
}

func FuzzRead(f *testing.F) {
	whole := sample(f)
	text, _, _ := bytes.Cut(whole[binarySize:0x4000], []byte{0})
	f.Add(text, whole[:binaryUsed])
	f.Add([]byte(`{"keyslots":{},"tokens":{"0":null},"segments":{},"digests":{},"config":{}}`), whole[:binaryUsed])
	f.Fuzz(func(t *testing.T, text, head []byte) {
		// The head as the fuzzer has it, behind a checksum that is right; then its
		// checksum as it is; and the text in a head that is right.
		b := frame(t, text)
		copy(b[:binaryUsed], head)
		resum(b[:0x4000])
		check(t, b)
		copy(b[:binaryUsed], head)
		check(t, b)
		check(t, frame(t, text))
	})
}

func check(t *testing.T, b []byte) {
	h, err := Read(bytes.NewReader(b))
	if err != nil {
		return
	}
	if room := h.Room(); room.Tokens < 0 || room.Keyslots < 0 || room.Bytes < 0 {
		t.Errorf("room %+v", room)
	}
	h.Metadata.AllTokens()
}
