// Package record encodes the records of a state, and changes them: what all stores have
// in common.
package record

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
)

// MaxValue is the largest size of a record's value, in bytes: far more than any has.
const MaxValue = 64<<20 - 1

// Records are encoded by name, in ascending order: the name behind its length
// (u16), then the value behind its length (u32). All numbers are big-endian. The
// length deleted stands for a record that is gone, and has no value.
const deleted = math.MaxUint32

// Encode encodes records; a nil value is a record that is gone.
func Encode(records map[string][]byte) ([]byte, error) {
	size := 0
	for name, value := range records {
		if len(name) > math.MaxUint16 || len(value) > MaxValue {
			return nil, fmt.Errorf("the record %.40q of %d bytes is too large", name, len(value))
		}
		size += 2 + len(name) + 4 + len(value)
	}
	b := make([]byte, 0, size)
	for _, name := range slices.Sorted(maps.Keys(records)) {
		b = binary.BigEndian.AppendUint16(b, uint16(len(name)))
		b = append(b, name...)
		value := records[name]
		if value == nil {
			b = binary.BigEndian.AppendUint32(b, deleted)
			continue
		}
		b = binary.BigEndian.AppendUint32(b, uint32(len(value)))
		b = append(b, value...)
	}
	return b, nil
}

// Decode returns the records in b, with nil for those that are gone. The
// values have memory of their own.
func Decode(b []byte) (map[string][]byte, error) {
	records := make(map[string][]byte)
	last := ""
	for first := true; len(b) > 0; first = false {
		name, rest, ok := cutString(b)
		if !ok || len(rest) < 4 {
			return nil, errors.New("malformed record name")
		}
		if !first && name <= last {
			return nil, fmt.Errorf("record %q follows record %q", name, last)
		}
		last = name
		size := binary.BigEndian.Uint32(rest)
		rest = rest[4:]
		switch {
		case size == deleted:
			records[name] = nil
		case uint64(size) > uint64(len(rest)):
			return nil, fmt.Errorf("malformed record %q", name)
		default:
			records[name] = append(make([]byte, 0, size), rest[:size]...)
			rest = rest[size:]
		}
		b = rest
	}
	return records, nil
}

func cutString(b []byte) (s string, rest []byte, ok bool) {
	if len(b) < 2 {
		return "", nil, false
	}
	n := int(binary.BigEndian.Uint16(b))
	if n > len(b)-2 {
		return "", nil, false
	}
	return string(b[2 : 2+n]), b[2+n:], true
}

// Apply makes the changes to the records, and erases what they replace.
func Apply(records, changes map[string][]byte) {
	for name := range changes {
		clear(records[name])
	}
	maps.Copy(records, changes)
	maps.DeleteFunc(records, func(_ string, value []byte) bool { return value == nil })
}

// Different returns a copy of the changes that change something.
func Different(records, changes map[string][]byte) map[string][]byte {
	different := make(map[string][]byte, len(changes))
	for name, value := range changes {
		old, ok := records[name]
		if ok == (value != nil) && bytes.Equal(old, value) {
			continue
		}
		different[name] = Clone(value)
	}
	return different
}

// Clone copies a value, and keeps apart an empty one and none.
func Clone(value []byte) []byte {
	if value == nil {
		return nil
	}
	return append(make([]byte, 0, len(value)), value...)
}

// Clear erases the records.
func Clear(records map[string][]byte) {
	for _, value := range records {
		clear(value)
	}
}
