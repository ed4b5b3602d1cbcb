package store

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"slices"
)

// magic begins a state file and says the version of its layout. What follows are
// the records by name, each a name and a value behind their lengths (u16 and u32,
// big-endian), and the SHA-256 of everything before it.
const magic = "bootseal vTPM state 1\n"

func encode(records map[string][]byte) []byte {
	b := []byte(magic)
	for _, name := range slices.Sorted(maps.Keys(records)) {
		b = binary.BigEndian.AppendUint16(b, uint16(len(name)))
		b = append(b, name...)
		b = binary.BigEndian.AppendUint32(b, uint32(len(records[name])))
		b = append(b, records[name]...)
	}
	sum := sha256.Sum256(b)
	return append(b, sum[:]...)
}

func decode(b []byte) (map[string][]byte, error) {
	if !bytes.HasPrefix(b, []byte(magic)) {
		return nil, errors.New("not the state of a vTPM")
	}
	if len(b) < len(magic)+sha256.Size {
		return nil, errors.New("the state is cut short")
	}
	body, sum := b[:len(b)-sha256.Size], b[len(b)-sha256.Size:]
	if want := sha256.Sum256(body); !bytes.Equal(sum, want[:]) {
		return nil, errors.New("the state is damaged: its checksum is wrong")
	}
	records := make(map[string][]byte)
	for rest := body[len(magic):]; len(rest) > 0; {
		name, after, ok := field(rest, 2)
		if !ok {
			return nil, fmt.Errorf("malformed record after %d records", len(records))
		}
		value, after, ok := field(after, 4)
		if !ok {
			return nil, fmt.Errorf("malformed record %q", name)
		}
		records[string(name)] = bytes.Clone(value)
		rest = after
	}
	return records, nil
}

// field splits a field behind a length of size bytes from b.
func field(b []byte, size int) (value, rest []byte, ok bool) {
	if len(b) < size {
		return nil, nil, false
	}
	n := 0
	for _, x := range b[:size] {
		n = n<<8 | int(x)
	}
	if n > len(b)-size {
		return nil, nil, false
	}
	return b[size : size+n], b[size+n:], true
}
