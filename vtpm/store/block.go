package store

import (
	"encoding/binary"
	"hash/crc32"
)

// A block is what a disk writes at once or not at all: a sector. Each says which
// part of which frame it is, so that a frame of which parts are missing can be told
// from one that was damaged:
//
//	  0  number of the frame in the file, from 1, u64
//	  8  index of the block in the frame, u16
//	 10  blocks in the frame, u16
//	 12  payload
//	507  CRC-32C of the bytes before
//	511  blockEnd
//
// On disks with larger sectors, a write in place leaves the blocks beside it alone,
// or the sector unreadable, which is an error and not other bytes.
const (
	blockSize    = 512
	blockPayload = atBlockCheck - atPayload

	atIndex      = 8
	atCount      = 10
	atPayload    = 12
	atBlockCheck = 507
	atBlockEnd   = 511

	// blockEnd is not zero, so that a block of which a prefix was written shows it.
	blockEnd = 0xEB
)

// blockID says which part of which frame a block is.
type blockID struct {
	frame        uint64
	index, count uint16
}

// seal completes the block b, whose payload is there.
func (id blockID) seal(b []byte) {
	id.put(b)
	binary.BigEndian.PutUint32(b[atBlockCheck:], blockCheck(b))
	b[atBlockEnd] = blockEnd
}

func (id blockID) put(b []byte) {
	binary.BigEndian.PutUint64(b, id.frame)
	binary.BigEndian.PutUint16(b[atIndex:], id.index)
	binary.BigEndian.PutUint16(b[atCount:], id.count)
}

func blockCheck(b []byte) uint32 {
	return crc32.Checksum(b[:atBlockCheck], crc32.MakeTable(crc32.Castagnoli))
}

// readBlock returns which block b is; ok is false when it is not whole.
func readBlock(b []byte) (id blockID, ok bool) {
	id = blockID{
		frame: binary.BigEndian.Uint64(b),
		index: binary.BigEndian.Uint16(b[atIndex:]),
		count: binary.BigEndian.Uint16(b[atCount:]),
	}
	ok = b[atBlockEnd] == blockEnd && binary.BigEndian.Uint32(b[atBlockCheck:]) == blockCheck(b)
	return id, ok && id.index < id.count
}

// beginsAs reports whether b can be a block of which a prefix was written: zeros from
// somewhere on, and before that the frame and the index.
func beginsAs(b []byte, frame uint64, index uint16) bool {
	if b[atBlockEnd] != 0 {
		return false
	}
	var want [atPayload]byte
	blockID{frame: frame, index: index}.put(want[:])
	for i := range atCount {
		if b[i] != want[i] {
			return isZero(b[i:])
		}
	}
	return true
}

func isZero(b []byte) bool {
	for _, x := range b {
		if x != 0 {
			return false
		}
	}
	return true
}
