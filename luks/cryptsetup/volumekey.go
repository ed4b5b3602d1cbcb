package cryptsetup

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/bootseal/bootseal/internal/secretmem"
)

// VolumeKey returns the key that encrypts the volume, for a passphrase of any keyslot.
// It never touches a file. The caller zeroes it.
func (v *Volume) VolumeKey(ctx context.Context, passphrase []byte) ([]byte, error) {
	out := new(secretmem.Output)
	defer out.Clear()
	args := []string{"luksDump", "--dump-volume-key", "--key-file", secretFile(0)}
	if _, err := v.run(ctx, "read the volume key of", call{args: args, secrets: [][]byte{passphrase}, out: out}); err != nil {
		return nil, err
	}
	key, err := parseVolumeKey(out.Bytes())
	if err != nil {
		return nil, fmt.Errorf("read the volume key of %s: %w", v.path, err)
	}
	return key, nil
}

// maxVolumeKey is far above the largest volume key, 64 bytes for AES-256 in XTS.
const maxVolumeKey = 512

// parseVolumeKey reads cryptsetup's dump, of which the last lines are
//
//	MK bits:       	512
//	MK dump:	2c a2 88 ...
//			de d2 cc ...
//
// Errors do not quote it.
func parseVolumeKey(text []byte) ([]byte, error) {
	_, rest, ok := bytes.Cut(text, []byte("\nMK bits:"))
	if !ok {
		return nil, errors.New("cryptsetup's dump has no line \"MK bits\"")
	}
	size, rest, ok := bytes.Cut(rest, []byte("\nMK dump:"))
	if !ok {
		return nil, errors.New("cryptsetup's dump has no line \"MK dump\"")
	}
	bits, err := strconv.Atoi(string(bytes.TrimSpace(size)))
	if err != nil || bits <= 0 || bits%8 != 0 || bits/8 > maxVolumeKey {
		return nil, errors.New("cryptsetup's dump has a key of an unknown size")
	}
	key := make([]byte, bits/8)
	n := 0
	for field := range bytes.FieldsSeq(rest) {
		high, low := digit(field[0]), digit(field[len(field)-1])
		if len(field) != 2 || n == len(key) || high > 15 || low > 15 {
			clear(key)
			return nil, errors.New("cryptsetup's dump of the key is not in hex, or too long")
		}
		key[n] = high<<4 | low
		n++
	}
	if n < len(key) {
		clear(key)
		return nil, fmt.Errorf("cryptsetup's dump has %d bytes of the key: want %d", n, len(key))
	}
	return key, nil
}

// digit is the value of a hex digit; above 15 it is none.
func digit(c byte) byte {
	switch {
	case c >= '0' && c <= '9':
		return c - '0'
	case c >= 'a' && c <= 'f':
		return c - 'a' + 10
	case c >= 'A' && c <= 'F':
		return c - 'A' + 10
	}
	return 0xFF
}
