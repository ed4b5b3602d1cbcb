// Package pe reads PE/COFF programs as far as measured boot needs it: the bytes
// that an Authenticode digest covers, and who signed them.
//
//	Open       headers, checked
//	File.Hash  the bytes of the Authenticode digest
//	File.Signers  the certificates that made the signatures
//	File.Sections  the sections, which a unified kernel image has its parts in
//	File.Linux    the version of a kernel
//
// Input is hostile: sizes and offsets are checked before they are used, and no
// byte is hashed more often than the file has bytes.
package pe

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
)

// ErrNotPE is returned for a file that does not begin as a PE program does.
var ErrNotPE = errors.New("not a PE program")

// Offsets in the headers (Microsoft PE format, sections "MS-DOS Stub", "COFF File
// Header", "Optional Header", "Section Table").
const (
	dosHeaderSize     = 64
	peOffsetAt        = 0x3c // in the DOS header
	coffHeaderSize    = 24   // with the signature "PE\0\0"
	sizeOfHeadersAt   = 60   // in the optional header, both forms
	checkSumAt        = 64   // in the optional header, both forms
	magicPE32         = 0x10b
	magicPE32Plus     = 0x20b
	directoryCount32  = 92 // NumberOfRvaAndSizes
	directoryCount64  = 108
	securityDirectory = 4 // IMAGE_DIRECTORY_ENTRY_SECURITY
	sectionHeaderSize = 40
	maxSections       = 4096 // a kernel has fewer than ten, a unified image a few dozen
	maxHeaders        = 1 << 20
)

// span is a range of the file, in bytes.
type span struct{ off, size int64 }

func (s span) end() int64 { return s.off + s.size }

// File is a PE program whose headers make sense.
type File struct {
	r      io.ReaderAt
	size   int64
	hashed []span // what the digest covers, in order
	certs  span   // the certificate table; size 0 without one

	sections []Section
}

// Open reads and checks the headers of a program of size bytes. The error wraps
// [ErrNotPE] if it is something else.
func Open(r io.ReaderAt, size int64) (*File, error) {
	h, opt, err := readHeaders(r, size)
	if err != nil {
		return nil, err
	}
	f := &File{r: r, size: size, sections: h.sectionTable(r)}
	sections, err := h.sections(size)
	if err != nil {
		return nil, err
	}
	securityAt, err := f.findCertificates(h.bytes[opt:opt+h.optionalSize], h.sizeOfHeaders)
	if err != nil {
		return nil, err
	}
	f.layOut(h.sizeOfHeaders, int64(opt), securityAt, sections)
	if covered := f.covered(); covered > size {
		return nil, fmt.Errorf("sections overlap: the digest would cover %d bytes of a file of %d", covered, size)
	}
	return f, nil
}

// header is the part of a file up to SizeOfHeaders.
type header struct {
	bytes         []byte
	optionalSize  int
	sectionCount  int
	sectionsAt    int
	sizeOfHeaders int64
	symbols       span // their offset and number
}

// readHeaders returns the headers and the offset of the optional header.
func readHeaders(r io.ReaderAt, size int64) (*header, int, error) {
	le := binary.LittleEndian
	dos := make([]byte, dosHeaderSize)
	if size < dosHeaderSize {
		return nil, 0, fmt.Errorf("%w: %d bytes", ErrNotPE, size)
	}
	if err := readAt(r, dos, 0); err != nil {
		return nil, 0, err
	}
	if dos[0] != 'M' || dos[1] != 'Z' {
		return nil, 0, ErrNotPE
	}
	at := int64(le.Uint32(dos[peOffsetAt:]))
	if at > size-coffHeaderSize {
		return nil, 0, fmt.Errorf("%w: its header would be at %d of %d bytes", ErrNotPE, at, size)
	}
	coff := make([]byte, coffHeaderSize)
	if err := readAt(r, coff, at); err != nil {
		return nil, 0, err
	}
	if string(coff[:4]) != "PE\x00\x00" {
		return nil, 0, fmt.Errorf("%w: no signature PE", ErrNotPE)
	}
	h := &header{sectionCount: int(le.Uint16(coff[6:])), optionalSize: int(le.Uint16(coff[20:])),
		symbols: span{int64(le.Uint32(coff[12:])), int64(le.Uint32(coff[16:]))}}
	opt := at + coffHeaderSize
	h.sectionsAt = int(opt) + h.optionalSize
	switch {
	case h.sectionCount > maxSections:
		return nil, 0, fmt.Errorf("%d sections: more than %d", h.sectionCount, maxSections)
	case h.optionalSize < directoryCount32+4:
		return nil, 0, fmt.Errorf("optional header of %d bytes: too short", h.optionalSize)
	}
	end := int64(h.sectionsAt) + int64(h.sectionCount)*sectionHeaderSize
	if end > size || end > maxHeaders {
		return nil, 0, fmt.Errorf("headers of %d bytes in a file of %d", end, size)
	}
	h.bytes = make([]byte, end)
	if err := readAt(r, h.bytes, 0); err != nil {
		return nil, 0, err
	}
	h.sizeOfHeaders = int64(le.Uint32(h.bytes[opt+sizeOfHeadersAt:]))
	if h.sizeOfHeaders < end || h.sizeOfHeaders > size {
		return nil, 0, fmt.Errorf("SizeOfHeaders is %d: want %d to %d", h.sizeOfHeaders, end, size)
	}
	return h, int(opt), nil
}

func readAt(r io.ReaderAt, b []byte, off int64) error {
	if n, err := r.ReadAt(b, off); n < len(b) {
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		return fmt.Errorf("read %d bytes at %d: %w", len(b), off, err)
	}
	return nil
}

// sections returns the sections that have data, in the order of the file.
func (h *header) sections(size int64) ([]span, error) {
	var out []span
	for i := range h.sectionCount {
		s := h.bytes[h.sectionsAt+i*sectionHeaderSize:]
		raw := span{
			size: int64(binary.LittleEndian.Uint32(s[16:])), // SizeOfRawData
			off:  int64(binary.LittleEndian.Uint32(s[20:])), // PointerToRawData
		}
		if raw.size == 0 {
			continue
		}
		if raw.end() > size {
			return nil, fmt.Errorf("section %d ends at %d of %d bytes", i, raw.end(), size)
		}
		out = append(out, raw)
	}
	slices.SortStableFunc(out, func(a, b span) int { return cmp.Compare(a.off, b.off) })
	return out, nil
}

// findCertificates sets f.certs and returns where in the optional header the
// security directory's entry is, or 0 if there is none.
func (f *File) findCertificates(opt []byte, sizeOfHeaders int64) (int, error) {
	le := binary.LittleEndian
	countAt := directoryCount32
	switch magic := le.Uint16(opt); magic {
	case magicPE32:
	case magicPE32Plus:
		countAt = directoryCount64
	default:
		return 0, fmt.Errorf("optional header has magic 0x%x", magic)
	}
	if len(opt) < countAt+4 {
		return 0, fmt.Errorf("optional header of %d bytes: too short", len(opt))
	}
	if le.Uint32(opt[countAt:]) <= securityDirectory {
		return 0, nil
	}
	entry := countAt + 4 + 8*securityDirectory
	if len(opt) < entry+8 {
		return 0, fmt.Errorf("optional header of %d bytes: no room for its directories", len(opt))
	}
	certs := span{int64(le.Uint32(opt[entry:])), int64(le.Uint32(opt[entry+4:]))}
	// Firmware takes the table's size off the end of the file without looking at
	// its place. A table elsewhere would mean another digest to every reader.
	if certs.size != 0 && (certs.off < sizeOfHeaders || certs.end() != f.size) {
		return 0, fmt.Errorf("certificate table at %d to %d: not at the end of a file of %d bytes",
			certs.off, certs.end(), f.size)
	}
	f.certs = certs
	return entry, nil
}

// layOut sets what the digest covers (Windows Authenticode Portable Executable
// Signature Format, "Calculating the PE Image Hash"): the headers without the
// checksum and the certificate table's entry, the sections, and what follows
// them up to the certificate table. What follows begins where the sum of all
// that was hashed says, gaps or not: so do firmware and shim.
func (f *File) layOut(sizeOfHeaders, opt int64, securityAt int, sections []span) {
	add := func(off, end int64) {
		if end > off {
			f.hashed = append(f.hashed, span{off, end - off})
		}
	}
	checkSum := opt + checkSumAt
	add(0, checkSum)
	if securityAt == 0 {
		add(checkSum+4, sizeOfHeaders)
	} else {
		add(checkSum+4, opt+int64(securityAt))
		add(opt+int64(securityAt)+8, sizeOfHeaders)
	}
	sum := sizeOfHeaders
	for _, s := range sections {
		add(s.off, s.end())
		sum += s.size
	}
	add(sum, f.size-f.certs.size)
}

func (f *File) covered() int64 {
	var n int64
	for _, s := range f.hashed {
		n += s.size
	}
	return n
}

// Hash writes the bytes that the program's Authenticode digest covers to w, a
// hash or several behind an [io.MultiWriter].
func (f *File) Hash(w io.Writer) error {
	for _, s := range f.hashed {
		n, err := io.Copy(w, io.NewSectionReader(f.r, s.off, s.size))
		if err == nil && n < s.size {
			err = io.ErrUnexpectedEOF
		}
		if err != nil {
			return fmt.Errorf("hash bytes %d to %d: %w", s.off, s.end(), err)
		}
	}
	return nil
}
