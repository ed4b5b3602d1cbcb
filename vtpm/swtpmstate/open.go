package swtpmstate

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/bootseal/bootseal/vtpm/internal/libtpms"
)

// MaxSize is more than any file or blob of swtpm has, in bytes.
const MaxSize = 4 << 20

// Keys are the keys of --key and --migration-key of swtpm; nil where there was none.
type Keys struct {
	File, Migration []byte // 16 or 32 bytes
}

// The errors of Permanent for a key that is missing. The key's flag is for the caller
// to name.
var (
	ErrEncrypted          = errors.New("the state is encrypted, and there is no key")
	ErrMigrationEncrypted = errors.New("the state is encrypted for migration, and there is no migration key")
	ErrNotEncrypted       = errors.New("there is a key, and the state is not encrypted")
	ErrWrongKey           = errors.New("the key is another one, or the state was changed")
)

// Flags of the header.
const (
	flagEncrypted = 1 << iota
	flagMigrationEncrypted
	flagMigrationData
	flagKey256
	flagMigrationKey256

	allFlags = 1<<iota - 1
)

// Permanent returns the state of libtpms that is in the bytes of swtpm's file, of a
// blob of the permanent state from its control channel, or of a file of its file://
// backend. A state of libtpms alone is returned as it is.
//
// A state is given out only when nothing was left over, and the HMAC, if there is
// one, is right.
func Permanent(data []byte, keys Keys) ([]byte, error) {
	if len(data) > MaxSize {
		return nil, fmt.Errorf("%d bytes are more than any state of swtpm", len(data))
	}
	for _, k := range [][]byte{keys.File, keys.Migration} {
		if n := len(k); n != 0 && n != 16 && n != 32 {
			return nil, fmt.Errorf("a key of %d bytes is none of swtpm's: it is 16 or 32", n)
		}
	}
	if isLinear(data) {
		file, err := linearPermanent(data)
		if err != nil {
			return nil, err
		}
		data = file
	}
	if libtpms.IsState(data) {
		if keys.File != nil || keys.Migration != nil {
			return nil, ErrNotEncrypted
		}
		return data, nil
	}
	state, err := openBlob(data, keys)
	if err == nil && !libtpms.IsState(state) {
		return nil, errors.New("what is in it is no permanent state of a TPM 2.0 of libtpms")
	}
	return state, err
}

// header is swtpm's header of a file or a blob.
type header struct {
	version uint8
	flags   uint16
}

const headerSize = 10

func readHeader(b []byte) (h header, body []byte, err error) {
	switch {
	case len(b) == 0:
		return h, nil, errors.New("it is empty: swtpm was stopped before it had written it")
	case len(b) < headerSize:
		return h, nil, fmt.Errorf("%d bytes are too few for a header of swtpm", len(b))
	}
	h = header{version: b[0], flags: binary.BigEndian.Uint16(b[4:])}
	least, size, total := b[1], binary.BigEndian.Uint16(b[2:]), binary.BigEndian.Uint32(b[6:])
	switch {
	case size != headerSize, h.version == 0, h.flags&^allFlags != 0:
		return h, nil, errors.New("it does not begin as a state of swtpm does")
	case least > 2:
		return h, nil, fmt.Errorf("it is of version %d of swtpm's format, and those up to 2 are known", least)
	case uint64(total) > uint64(len(b)):
		return h, nil, fmt.Errorf("it is cut short: %d of %d bytes are there", len(b), total)
	case uint64(total) < uint64(len(b)):
		return h, nil, fmt.Errorf("%d bytes follow its end", len(b)-int(total))
	}
	return h, b[headerSize:], nil
}

// openBlob returns what a blob's layers protect.
func openBlob(data []byte, keys Keys) ([]byte, error) {
	h, body, err := readHeader(data)
	if err != nil {
		return nil, err
	}
	if h.flags&flagMigrationData != 0 {
		migration := layer{
			plain: tagMigrationData, encrypted: tagEncryptedMigrationData, iv: tagMigrationIV, key: keys.Migration,
			isEncrypted: h.flags&flagMigrationEncrypted != 0, key256: h.flags&flagMigrationKey256 != 0,
			missing: ErrMigrationEncrypted,
		}
		if body, err = migration.open(h.version, body); err != nil {
			return nil, fmt.Errorf("its migration data: %w", err)
		}
		if h.flags&flagEncrypted == 0 {
			keys.File = nil // swtpm decrypts for who asks for it
		}
	} else if keys.Migration != nil {
		return nil, fmt.Errorf("its migration data: %w", ErrNotEncrypted)
	}
	file := layer{
		plain: tagData, encrypted: tagEncryptedData, iv: tagIV, key: keys.File,
		isEncrypted: h.flags&flagEncrypted != 0, key256: h.flags&flagKey256 != 0,
		missing: ErrEncrypted,
	}
	return file.open(h.version, body)
}

// layer is one of the two layers of a blob.
type layer struct {
	plain, encrypted, iv uint16 // tags
	isEncrypted, key256  bool
	key                  []byte
	missing              error // when there is no key
}

func (l *layer) open(version uint8, body []byte) ([]byte, error) {
	switch {
	case l.isEncrypted && l.key == nil:
		return nil, l.missing
	case !l.isEncrypted && l.key != nil:
		return nil, ErrNotEncrypted
	case version == 1 && l.isEncrypted:
		return decrypt1(l.key, body)
	case version == 1:
		return body, nil
	}
	items, err := readItems(body)
	if err != nil {
		return nil, err
	}
	if !l.isEncrypted {
		return items.only(l.plain)
	}
	size := 16
	if l.key256 {
		size = 32
	}
	if len(l.key) != size {
		return nil, fmt.Errorf("it is encrypted with aes-%d-cbc, and the key has %d bits", 8*size, 8*len(l.key))
	}
	ciphertext, ok := items[l.encrypted]
	if !ok {
		return nil, errors.New("there is no encrypted data")
	}
	mac, ok := items[tagHMAC]
	if !ok {
		return nil, errors.New("there is no HMAC")
	}
	iv, hasIV := items[l.iv]
	if n := len(items); n != 2 && !(hasIV && n == 3) {
		return nil, errors.New("there is something beside the encrypted data")
	}
	return decrypt(l.key, ciphertext, mac, iv)
}
