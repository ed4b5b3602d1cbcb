package fat

import (
	"encoding/binary"
	"io/fs"
	"slices"
	"strings"
	"time"
	"unicode/utf16"
)

// Attributes of an entry.
const (
	attrVolume   = 0x08
	attrFolder   = 0x10
	attrLongName = 0x0F
)

// entry is a file or a folder.
type entry struct {
	name, short string
	folder      bool
	cluster     uint32
	size        int64
}

func (e *entry) Name() string               { return e.name }
func (e *entry) IsDir() bool                { return e.folder }
func (e *entry) Size() int64                { return e.size }
func (e *entry) ModTime() time.Time         { return time.Time{} }
func (e *entry) Sys() any                   { return nil }
func (e *entry) Info() (fs.FileInfo, error) { return e, nil }
func (e *entry) Type() fs.FileMode          { return e.Mode().Type() }

func (e *entry) Mode() fs.FileMode {
	if e.folder {
		return fs.ModeDir | 0o555
	}
	return 0o444
}

// entries reads a folder. A long name is in entries before that of its file, the
// last part first, and counts if their checksum is that of the short name.
func (f *FS) entries(dir *entry) ([]*entry, error) {
	b, err := f.folder(dir)
	if err != nil {
		return nil, err
	}
	var out []*entry
	var long longName
	for ; len(b) >= entrySize; b = b[entrySize:] {
		raw := b[:entrySize]
		if raw[0] == 0 {
			break // and all after it
		}
		switch {
		case raw[0] == 0xE5: // deleted
			long = longName{}
		case raw[11]&0x3F == attrLongName:
			long.add(raw)
		case raw[11]&attrVolume != 0:
			long = longName{}
		default:
			e := f.entry(raw, long)
			long = longName{}
			if e.name != "." && e.name != ".." && fs.ValidPath(e.name) && !strings.Contains(e.name, "/") {
				out = append(out, e)
			}
		}
	}
	slices.SortStableFunc(out, func(a, b *entry) int { return strings.Compare(a.name, b.name) })
	return out, nil
}

func (f *FS) entry(raw []byte, long longName) *entry {
	le := binary.LittleEndian
	e := &entry{short: shortName(raw), folder: raw[11]&attrFolder != 0, cluster: uint32(le.Uint16(raw[26:])),
		size: int64(le.Uint32(raw[28:]))}
	if f.bits == 32 {
		e.cluster |= uint32(le.Uint16(raw[20:])) << 16 & 0x0FFFFFFF
	}
	if e.folder {
		e.size = 0
	}
	e.name = e.short
	if name := long.text(raw[:11]); name != "" {
		e.name = name
	}
	return e
}

// shortName is a name of eight and three characters. Two bits say, by a
// convention that all follow, that a part is meant in lower case.
func shortName(raw []byte) string {
	part := func(b []byte, lower bool) string {
		s := make([]rune, len(b))
		for i, c := range b {
			s[i] = rune(c) // what is not ASCII depends on a code page that nobody tells
		}
		text := strings.TrimRight(string(s), " ")
		if lower {
			return strings.ToLower(text)
		}
		return text
	}
	base := part(raw[:8], raw[12]&0x08 != 0)
	if ext := part(raw[8:11], raw[12]&0x10 != 0); ext != "" {
		return base + "." + ext
	}
	return base
}

// longName collects the parts of a name.
type longName struct {
	parts    [][]uint16 // the last part first
	checksum byte
	next     byte // the number that the next part must have
}

const (
	maxParts  = 20
	lastPart  = 0x40
	partMask  = 0x3F
	partUnits = 13
)

func (l *longName) add(raw []byte) {
	number := raw[0] & partMask
	if raw[0]&lastPart != 0 {
		*l = longName{checksum: raw[13], next: number}
	}
	if number == 0 || number > maxParts || number != l.next || raw[13] != l.checksum {
		*l = longName{}
		return
	}
	l.next--
	units := make([]uint16, 0, partUnits)
	for _, at := range []int{1, 3, 5, 7, 9, 14, 16, 18, 20, 22, 24, 28, 30} {
		units = append(units, binary.LittleEndian.Uint16(raw[at:]))
	}
	l.parts = append(l.parts, units)
}

// text returns the name if it is complete, and belongs to the short name.
func (l *longName) text(short []byte) string {
	if len(l.parts) == 0 || l.next != 0 || checksum(short) != l.checksum {
		return ""
	}
	var units []uint16
	for _, p := range slices.Backward(l.parts) {
		units = append(units, p...)
	}
	if end := slices.Index(units, 0); end >= 0 {
		units = units[:end]
	}
	return string(utf16.Decode(units))
}

func checksum(short []byte) byte {
	var sum byte
	for _, c := range short {
		sum = sum>>1 | sum<<7
		sum += c
	}
	return sum
}
