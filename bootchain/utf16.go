package bootchain

import (
	"encoding/binary"
	"unicode/utf16"
)

// utf16LE encodes a string as UEFI does, without a final NUL.
func utf16LE(s string) []byte {
	var out []byte
	for _, u := range utf16.Encode([]rune(s)) {
		out = binary.LittleEndian.AppendUint16(out, u)
	}
	return out
}

// utf16Z encodes a string with a final NUL.
func utf16Z(s string) []byte { return append(utf16LE(s), 0, 0) }

// fromUTF16 decodes up to the first NUL.
func fromUTF16(b []byte) string {
	var units []uint16
	for ; len(b) >= 2; b = b[2:] {
		u := binary.LittleEndian.Uint16(b)
		if u == 0 {
			break
		}
		units = append(units, u)
	}
	return string(utf16.Decode(units))
}
