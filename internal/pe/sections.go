package pe

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// maxPadding bounds the zero bytes that loading adds to a section. Compilers add
// less than a page to sections with contents.
const maxPadding = 1 << 20

// Section is a section of a program.
type Section struct {
	Name string
	// Size is its size in memory, in bytes: what systemd-stub measures.
	Size int64
	raw  span // in the file; a loader reads no more of it than Size
}

// Sections returns the program's sections in the order of the section table,
// names repeated as often as they are there.
func (f *File) Sections() []Section { return f.sections }

// sectionTable reads the section table.
func (h *header) sectionTable(r io.ReaderAt) []Section {
	le := binary.LittleEndian
	out := make([]Section, h.sectionCount)
	for i := range out {
		s := h.bytes[h.sectionsAt+i*sectionHeaderSize:]
		out[i] = Section{
			Name: h.longName(r, string(bytes.TrimRight(s[:8], "\x00"))),
			Size: int64(le.Uint32(s[8:])),
			raw:  span{int64(le.Uint32(s[20:])), int64(le.Uint32(s[16:]))},
		}
	}
	return out
}

const (
	symbolSize  = 18
	maxLongName = 64
)

// longName resolves a name of the form "/123", which stands for a place in the
// table of strings behind the symbols: shim has names of more than eight bytes.
func (h *header) longName(r io.ReaderAt, name string) string {
	digits, ok := strings.CutPrefix(name, "/")
	at, err := strconv.ParseUint(digits, 10, 32)
	if !ok || err != nil || h.symbols.off == 0 {
		return name
	}
	text := make([]byte, maxLongName)
	n, _ := r.ReadAt(text, h.symbols.off+h.symbols.size*symbolSize+int64(at))
	end := bytes.IndexByte(text[:n], 0)
	if end <= 0 {
		return name
	}
	return string(text[:end])
}

// Open returns the section's contents as they are in memory after loading: Size
// bytes, what the file does not have are zeros.
func (f *File) Open(s Section) (io.Reader, error) {
	inFile := min(s.raw.size, s.Size)
	if s.Size-inFile > maxPadding {
		return nil, fmt.Errorf("section %s has %d bytes in memory and %d in the file", s.Name, s.Size, inFile)
	}
	return io.MultiReader(io.NewSectionReader(f.r, s.raw.off, inFile), bytes.NewReader(make([]byte, s.Size-inFile))), nil
}

// At returns random access to the part of the section that the file has, which
// may be a program of its own.
func (f *File) At(s Section) *io.SectionReader {
	return io.NewSectionReader(f.r, s.raw.off, min(s.raw.size, s.Size))
}

// Contents returns a section's contents, an error if they are more than most
// bytes.
func (f *File) Contents(s Section, most int64) ([]byte, error) {
	if s.Size > most {
		return nil, fmt.Errorf("section %s has %d bytes: more than %d", s.Name, s.Size, most)
	}
	r, err := f.Open(s)
	if err != nil {
		return nil, err
	}
	data, err := io.ReadAll(r)
	if err == nil && int64(len(data)) != s.Size {
		err = io.ErrUnexpectedEOF
	}
	return data, err
}

// The Linux x86 boot protocol: the header of a bzImage, which is a PE program,
// too (Documentation/arch/x86/boot.rst, "header" and "kernel_version").
const (
	linuxMagicAt   = 0x202
	linuxMagic     = "HdrS"
	linuxVersionAt = 0x20e
	linuxSetup     = 0x200
	maxVersion     = 256
)

// Linux returns what a Linux kernel says of its version, "6.1.0-54-cloud-amd64
// (debian-kernel@...) ...", and whether the program is one. A kernel of an
// architecture that has no place for it is "".
func (f *File) Linux() (version string, ok bool) {
	head := make([]byte, linuxVersionAt+2)
	if readAt(f.r, head, 0) != nil {
		return "", false
	}
	if string(head[linuxMagicAt:linuxMagicAt+4]) != linuxMagic {
		// arm64, riscv: "ARM\x64" or "RSC\x05" at 0x38; zboot: "zimg" at 4.
		arch := string(head[0x38:0x3c])
		return "", arch == "ARM\x64" || arch == "RSC\x05" || string(head[4:8]) == "zimg"
	}
	at := int64(binary.LittleEndian.Uint16(head[linuxVersionAt:])) + linuxSetup
	text := make([]byte, maxVersion)
	n, _ := f.r.ReadAt(text, at)
	end := bytes.IndexByte(text[:n], 0)
	if end < 0 || at == linuxSetup {
		return "", true
	}
	return string(text[:end]), true
}
