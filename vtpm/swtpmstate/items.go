package swtpmstate

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// Tags of the items in a list.
const (
	tagData                   = 1
	tagEncryptedData          = 2
	tagHMAC                   = 3
	tagMigrationData          = 4
	tagEncryptedMigrationData = 5
	tagIV                     = 6
	tagMigrationIV            = 7
)

// items are the data of a list by their tags.
type items map[uint16][]byte

// readItems reads a list to its end.
func readItems(b []byte) (items, error) {
	const head = 2 + 4
	found := make(items)
	for len(b) > 0 {
		if len(b) < head {
			return nil, fmt.Errorf("%d bytes are too few for an item", len(b))
		}
		tag, size := binary.BigEndian.Uint16(b), binary.BigEndian.Uint32(b[2:])
		b = b[head:]
		if uint64(size) > uint64(len(b)) {
			return nil, fmt.Errorf("item %d has %d bytes, of which %d are there", tag, size, len(b))
		}
		if _, twice := found[tag]; twice {
			return nil, fmt.Errorf("item %d is there twice", tag)
		}
		found[tag], b = b[:size:size], b[size:]
	}
	return found, nil
}

// only returns the data of the one item that there is to be.
func (i items) only(tag uint16) ([]byte, error) {
	data, ok := i[tag]
	switch {
	case !ok:
		return nil, errors.New("there is no data")
	case len(i) != 1:
		return nil, errors.New("there is something beside the data")
	}
	return data, nil
}

// The frame of the file:// backend, little-endian: magic, version, padding, size of the
// header, and for each file its offset, its size, and the room that it has. The first
// file is the permanent state.
const (
	linearMagic   = 0x737774706d6c696e
	linearVersion = 1
	linearFiles   = 15
	linearHeader  = 8 + 1 + 1 + 2 + 12*linearFiles
)

func isLinear(b []byte) bool {
	return len(b) >= 8 && binary.LittleEndian.Uint64(b) == linearMagic
}

// linearPermanent returns the permanent state of a file of the file:// backend.
func linearPermanent(b []byte) ([]byte, error) {
	if len(b) < linearHeader {
		return nil, errors.New("the header of swtpm's file:// backend is cut short")
	}
	if version, size := b[8], binary.LittleEndian.Uint16(b[10:]); version != linearVersion || size != linearHeader {
		return nil, fmt.Errorf("it is of version %d of swtpm's file:// backend with a header of %d bytes, which is not known", version, size)
	}
	offset, size := binary.LittleEndian.Uint32(b[12:]), binary.LittleEndian.Uint32(b[16:])
	switch {
	case offset == 0 || size == 0:
		return nil, errors.New("there is no permanent state in the file of swtpm's file:// backend")
	case offset < linearHeader || uint64(offset)+uint64(size) > uint64(len(b)):
		return nil, fmt.Errorf("the permanent state is to be at bytes %d to %d of %d", offset, uint64(offset)+uint64(size), len(b))
	}
	return b[offset : offset+size : offset+size], nil
}
