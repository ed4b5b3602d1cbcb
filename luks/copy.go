package luks

import (
	"bytes"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"io"
	"slices"
	"strings"
	"unicode"
)

// Which tells a header's copies apart.
type Which string

// The two copies.
const (
	Primary   Which = "primary"
	Secondary Which = "secondary"
)

// Copy is one binary header (cryptsetup, lib/luks2/luks2.h, struct luks2_hdr_disk).
type Copy struct {
	Which Which
	// Offset is where the copy begins on the device, in bytes.
	Offset int64
	// Size is that of the binary header and the JSON area, in bytes: 16 KiB to 4 MiB.
	Size int64
	// SeqID grows with every write of the header.
	SeqID uint64
	// Label, Subsystem and UUID are the volume's, as blkid shows them. What cannot be
	// printed is U+FFFD.
	Label, Subsystem, UUID string
}

const (
	binarySize = 4096 // the binary header; the JSON area follows
	binaryUsed = 512  // what is in use of it
)

// sizes are the sizes that a copy can have, which are also
// the offsets at which the secondary copy can be.
var sizes = []int64{0x4000, 0x8000, 0x10000, 0x20000, 0x40000, 0x80000, 0x100000, 0x200000, 0x400000}

var (
	magicPrimary   = []byte("LUKS\xba\xbe")
	magicSecondary = []byte("SKUL\xba\xbe")
)

// errRead marks what the device said, as opposed to what is on it.
var errRead = errors.New("it cannot be read")

// readCopy reads and checks the copy at the offset, its metadata included.
func readCopy(r io.ReaderAt, offset int64, which Which) (*Header, error) {
	c, text, err := readText(r, offset, which)
	if err != nil {
		return nil, err
	}
	m, err := ParseMetadata(text)
	if err != nil {
		return nil, err
	}
	return &Header{Copy: *c, Metadata: m}, nil
}

// readText reads and checks the copy at the offset, and returns it with its JSON text.
func readText(r io.ReaderAt, offset int64, which Which) (*Copy, []byte, error) {
	head := make([]byte, binaryUsed)
	if err := readFull(r, head, offset); err != nil {
		if errors.Is(err, io.ErrUnexpectedEOF) {
			return nil, nil, ErrNotLUKS
		}
		return nil, nil, err
	}
	c, sum, err := parseBinary(head, offset, which)
	if err != nil {
		return nil, nil, err
	}
	whole := make([]byte, c.Size)
	if err := readFull(r, whole, offset); err != nil {
		return nil, nil, err
	}
	if !bytes.Equal(head, whole[:binaryUsed]) {
		return nil, nil, errors.New("it changed while it was read")
	}
	// The checksum is over the whole copy with the checksum's own field zero.
	copy(whole[448:512], make([]byte, 64))
	sum.Write(whole)
	if got := sum.Sum(nil); !bytes.Equal(got, head[448:448+len(got)]) {
		return nil, nil, errors.New("the checksum does not match")
	}
	text, _, ended := bytes.Cut(whole[binarySize:], []byte{0})
	if !ended {
		return nil, nil, errors.New("the JSON area has no end")
	}
	return c, text, nil
}

// parseBinary reads a binary header's fields. It also returns the checksum's hash.
func parseBinary(head []byte, offset int64, which Which) (*Copy, hash.Hash, error) {
	magic := magicPrimary
	if which == Secondary {
		magic = magicSecondary
	}
	if !bytes.Equal(head[:6], magic) {
		return nil, nil, ErrNotLUKS
	}
	switch version := binary.BigEndian.Uint16(head[6:]); version {
	case 2:
	case 1:
		return nil, nil, ErrLUKS1
	default:
		return nil, nil, fmt.Errorf("LUKS version %d: want 2", version)
	}
	c := &Copy{Which: which, Offset: offset, SeqID: binary.BigEndian.Uint64(head[16:])}
	size := binary.BigEndian.Uint64(head[8:])
	if !slices.Contains(sizes, int64(size)) {
		return nil, nil, fmt.Errorf("a header of %d bytes: want 16 KiB to 4 MiB, a power of two", size)
	}
	if which == Secondary && int64(size) != offset {
		return nil, nil, fmt.Errorf("a header of %d bytes that is the second at offset %d: want the first's size for both", size, offset)
	}
	c.Size = int64(size)
	if at := binary.BigEndian.Uint64(head[256:]); at != uint64(offset) {
		return nil, nil, fmt.Errorf("it says to be at offset %d, and is at %d", at, offset)
	}
	var algorithm string
	for _, f := range []struct {
		name string
		from []byte
		to   *string
	}{
		{"label", head[24:72], &c.Label}, {"checksum algorithm", head[72:104], &algorithm},
		{"UUID", head[168:208], &c.UUID}, {"subsystem", head[208:256], &c.Subsystem},
	} {
		text, _, ended := bytes.Cut(f.from, []byte{0})
		if !ended {
			return nil, nil, fmt.Errorf("the %s has no end", f.name)
		}
		*f.to = strings.Map(readable, string(text))
	}
	sum, err := checksum(algorithm)
	return c, sum, err
}

// readable keeps what can be printed; Map turns bytes that are no UTF-8 into U+FFFD.
func readable(r rune) rune {
	if unicode.IsPrint(r) {
		return r
	}
	return '\uFFFD'
}

// checksum returns the hash of a header's checksum. cryptsetup writes sha256; the
// others are what its format allows and somebody could have chosen.
func checksum(algorithm string) (hash.Hash, error) {
	switch algorithm {
	case "sha256":
		return sha256.New(), nil
	case "sha512":
		return sha512.New(), nil
	case "sha384":
		return sha512.New384(), nil
	case "sha1":
		return sha1.New(), nil
	}
	return nil, fmt.Errorf("checksum algorithm %q is not known", algorithm)
}

// readFull reads len(p) bytes at the offset. A short read is io.ErrUnexpectedEOF.
func readFull(r io.ReaderAt, p []byte, offset int64) error {
	n, err := r.ReadAt(p, offset)
	switch {
	case n == len(p):
		return nil
	case err == nil, errors.Is(err, io.EOF):
		err = io.ErrUnexpectedEOF
	default:
		err = fmt.Errorf("%w: %w", errRead, err)
	}
	return fmt.Errorf("read %d bytes at %d: %w", len(p), offset, err)
}
