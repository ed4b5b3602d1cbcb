// Package gpt reads a GUID partition table: the partitions, and the bytes of it
// that firmware measures.
package gpt

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"

	"github.com/bootseal/bootseal/internal/utf16le"
)

// Offsets in the header (UEFI specification, "GPT Header") and in an entry ("GPT
// Partition Entry").
const (
	signature    = "EFI PART"
	headerSize   = 92
	headerCRCAt  = 16
	firstEntryAt = 72
	countAt      = 80
	entrySizeAt  = 84
	entriesCRCAt = 88
	minEntry     = 128
	maxEntry     = 4096
	maxEntries   = 4096
	maxTable     = 1 << 20
)

// ErrNone is returned for a disk without a partition table of this kind.
var ErrNone = errors.New("no GUID partition table")

// Table is a partition table.
type Table struct {
	BlockSize  int64 // bytes
	Partitions []Partition
	header     []byte
	used       [][]byte // the entries in use, as they are on the disk
}

// Partition is an entry that is in use.
type Partition struct {
	Number      uint32 // from 1, as in device paths
	Type, UUID  [16]byte
	First, Last uint64 // blocks, both ends included
	Name        string
}

// Read reads the table at the start of a disk, or of its first sectors: 34 of
// 512 bytes have it all in practice. Both checksums are verified: firmware does
// not use a table with a wrong one.
func Read(r io.ReaderAt) (*Table, error) {
	for _, block := range []int64{512, 4096} {
		header := make([]byte, headerSize)
		if n, _ := r.ReadAt(header, block); n < headerSize || string(header[:8]) != signature {
			continue
		}
		t := &Table{BlockSize: block, header: header}
		if err := t.read(r); err != nil {
			return nil, fmt.Errorf("read partition table: %w", err)
		}
		return t, nil
	}
	return nil, ErrNone
}

func (t *Table) read(r io.ReaderAt) error {
	le := binary.LittleEndian
	blank := append([]byte(nil), t.header...)
	copy(blank[headerCRCAt:], make([]byte, 4))
	if size := le.Uint32(t.header[12:]); size != headerSize {
		return fmt.Errorf("header of %d bytes: want %d", size, headerSize)
	}
	if crc32.ChecksumIEEE(blank) != le.Uint32(t.header[headerCRCAt:]) {
		return errors.New("the header's checksum is wrong")
	}
	first, count := le.Uint64(t.header[firstEntryAt:]), le.Uint32(t.header[countAt:])
	each := le.Uint32(t.header[entrySizeAt:])
	if each < minEntry || each > maxEntry || count > maxEntries || int64(count)*int64(each) > maxTable || first > 1<<40 {
		return fmt.Errorf("%d entries of %d bytes at block %d", count, each, first)
	}
	table := make([]byte, int64(count)*int64(each))
	if n, err := r.ReadAt(table, int64(first)*t.BlockSize); n < len(table) {
		return fmt.Errorf("%d of %d bytes of entries: %w", n, len(table), errors.Join(err, io.ErrUnexpectedEOF))
	}
	if crc32.ChecksumIEEE(table) != le.Uint32(t.header[entriesCRCAt:]) {
		return errors.New("the entries' checksum is wrong")
	}
	for i := range count {
		e := table[i*each : (i+1)*each]
		if [16]byte(e[:16]) == ([16]byte{}) {
			continue
		}
		t.used = append(t.used, e)
		t.Partitions = append(t.Partitions, Partition{Number: i + 1, Type: [16]byte(e[:16]), UUID: [16]byte(e[16:32]),
			First: le.Uint64(e[32:]), Last: le.Uint64(e[40:]), Name: utf16le.Decode(e[56:128])})
	}
	return nil
}

// Measured returns UEFI_GPT_DATA, which firmware measures into PCR 5 (TCG PC
// Client Platform Firmware Profile, "EV_EFI_GPT_EVENT"): the header, the number
// of entries in use, and these.
func (t *Table) Measured() []byte {
	out := append([]byte(nil), t.header...)
	out = binary.LittleEndian.AppendUint64(out, uint64(len(t.used)))
	for _, e := range t.used {
		out = append(out, e...)
	}
	return out
}
