// Package utf16le has text in UTF-16LE, as UEFI's structures do.
package utf16le

import (
	"encoding/binary"
	"unicode/utf16"
)

// Encode encodes a string without a final NUL.
func Encode(s string) []byte {
	var out []byte
	for _, u := range utf16.Encode([]rune(s)) {
		out = binary.LittleEndian.AppendUint16(out, u)
	}
	return out
}

// EncodeZ encodes a string with a final NUL.
func EncodeZ(s string) []byte { return append(Encode(s), 0, 0) }

// Decode decodes up to the first NUL. What is no text becomes U+FFFD, and an odd last
// byte is left out.
func Decode(b []byte) string {
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
