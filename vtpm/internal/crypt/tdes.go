package crypt

import (
	"crypto/cipher"
	"crypto/des"
	"encoding/binary"
	"math/bits"
	"strings"

	"github.com/bootseal/bootseal/vtpm/internal/wire"
)

// newTDES returns triple DES with two or three keys of eight bytes.
func newTDES(key []byte) (cipher.Block, error) {
	if len(key) == 16 {
		three := append(append(make([]byte, 0, 24), key...), key[:8]...)
		defer clear(three)
		key = three
	}
	return des.NewTripleDESCipher(key)
}

// CheckSymKey returns TPM_RC_KEY_SIZE for a key that has not the size that sym
// says, and TPM_RC_KEY for a TDES key that encrypts as a single DES would, or worse:
// one of its parts is weak or equals the next one.
func CheckSymKey(sym wire.TPMTSymDefObject, key []byte) error {
	if 8*len(key) != int(sym.KeyBits) {
		return wire.RCKeySize
	}
	if sym.Algorithm != wire.AlgTDES {
		return nil
	}
	parts := make([]uint64, len(key)/8)
	defer clear(parts)
	for i := range parts {
		parts[i] = oddParity(binary.BigEndian.Uint64(key[8*i:]))
		if isWeakDES(parts[i]) || i > 0 && parts[i] == parts[i-1] {
			return wire.RCKey
		}
	}
	return nil
}

// SetParity gives each byte of a DES key odd parity by its last bit.
func SetParity(key []byte) {
	for i, b := range key {
		key[i] = b&^1 | byte(^bits.OnesCount8(b&^1)&1)
	}
}

func oddParity(k uint64) uint64 {
	var b [8]byte
	binary.BigEndian.PutUint64(b[:], k)
	SetParity(b[:])
	return binary.BigEndian.Uint64(b[:])
}

// isWeakDES reports whether a key with odd parity is one of the 64 weak, semi-weak
// and possibly weak ones (NIST SP 800-67, 3.3.2). In those, each half consists of
// four different bytes at most, the second half has those that belong to the first's,
// and numbering the four from 0 the numbers of a half cancel out.
func isWeakDES(key uint64) bool {
	const first, second = "\x01\x1F\xE0\xFE", "\x01\x0E\xF1\xFE"
	sum := 0
	for i := range 4 {
		at := strings.IndexByte(first, byte(key>>(56-8*i)))
		if at < 0 || second[at] != byte(key>>(24-8*i)) {
			return false
		}
		sum ^= at
	}
	return sum == 0
}
