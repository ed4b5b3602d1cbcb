// Package archive keeps an exported vTPM in a file: encrypted and authenticated, under a
// key or a passphrase.
//
// The file is a header and what XChaCha20-Poly1305 makes of the archive's JSON, with the
// header as additional data. Numbers are big-endian.
//
//	 0  magic, which says the version
//	23  kind of secret: 1 a key, 2 a passphrase
//	24  Argon2id's passes, u32
//	28  Argon2id's memory in KiB, u32
//	32  Argon2id's threads, u8
//	33  salt
//	49  nonce
package archive

import (
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/bootseal/bootseal/vtpm/server/host"
	"golang.org/x/crypto/argon2"
	"golang.org/x/crypto/chacha20poly1305"
)

const (
	magic      = "bootseal vTPM export 1\n"
	atKind     = len(magic)
	atPasses   = atKind + 1
	atMemory   = atPasses + 4
	atThreads  = atMemory + 4
	atSalt     = atThreads + 1
	atNonce    = atSalt + 16
	headerSize = atNonce + chacha20poly1305.NonceSizeX
)

// Kinds of secrets.
const (
	kindKey        = 1
	kindPassphrase = 2
)

// Argon2id's parameters for new files: the second recommended option of RFC 9106, section 4.
// The bounds are for files of others, who must not make a reader work for hours.
const (
	passes, memory, threads          = 3, 64 << 10, 4
	maxPasses, maxMemory, maxThreads = 16, 1 << 20, 16
)

// MaxSize bounds a file, in bytes.
const MaxSize = 96 << 20

// minKey is the least size of a key, in bytes: a shorter one can be guessed.
const minKey = 16

// Secret is what a file is encrypted with: a random key of at least 16 bytes, or a passphrase.
type Secret struct {
	Key        []byte
	Passphrase []byte
}

func (s Secret) check() error {
	switch {
	case len(s.Key) > 0 && len(s.Passphrase) > 0:
		return errors.New("a key and a passphrase: one of them is needed")
	case len(s.Passphrase) > 0:
		return nil
	case len(s.Key) < minKey:
		return fmt.Errorf("a key of %d bytes instead of at least %d", len(s.Key), minKey)
	}
	return nil
}

// ErrSecret is for a file that the secret does not open, or that was changed: the two
// cannot be told apart.
var ErrSecret = errors.New("the file was changed, or made with another key or passphrase")

// Seal returns the archive as a file's content.
func Seal(a *host.Archive, s Secret) ([]byte, error) {
	if err := s.check(); err != nil {
		return nil, err
	}
	header := make([]byte, headerSize)
	copy(header, magic)
	header[atKind] = kindKey
	if len(s.Passphrase) > 0 {
		header[atKind], header[atThreads] = kindPassphrase, threads
		binary.BigEndian.PutUint32(header[atPasses:], passes)
		binary.BigEndian.PutUint32(header[atMemory:], memory)
	}
	rand.Read(header[atSalt:])
	aead, err := s.cipher(header)
	if err != nil {
		return nil, err
	}
	plain, err := json.Marshal(a)
	if err != nil {
		return nil, err
	}
	defer clear(plain)
	file := append(make([]byte, 0, len(header)+len(plain)+aead.Overhead()), header...)
	return aead.Seal(file, header[atNonce:], plain, header), nil
}

// Open returns the archive in a file. Errors: ErrSecret, and those for what is no such file.
func Open(file []byte, s Secret) (*host.Archive, error) {
	if err := s.check(); err != nil {
		return nil, err
	}
	if len(file) < len(magic) || string(file[:len(magic)]) != magic {
		return nil, errors.New("this is no exported vTPM, or one of another version")
	}
	if len(file) < headerSize+chacha20poly1305.Overhead {
		return nil, errors.New("the exported vTPM is cut short")
	}
	if len(file) > MaxSize {
		return nil, fmt.Errorf("the exported vTPM has %d bytes, more than any", len(file))
	}
	header := file[:headerSize]
	aead, err := s.cipher(header)
	if err != nil {
		return nil, err
	}
	plain, err := aead.Open(nil, header[atNonce:], file[headerSize:], header)
	if err != nil {
		return nil, ErrSecret
	}
	defer clear(plain)
	a := new(host.Archive)
	if err := json.Unmarshal(plain, a); err != nil {
		return nil, fmt.Errorf("the exported vTPM: %w", err)
	}
	return a, nil
}

// cipher returns the cipher for a file with the header.
func (s Secret) cipher(header []byte) (cipher.AEAD, error) {
	var key []byte
	salt := header[atSalt:atNonce]
	switch kind := header[atKind]; {
	case kind == kindKey && len(s.Key) > 0:
		var err error
		if key, err = hkdf.Key(sha256.New, s.Key, salt, "bootseal vTPM export", chacha20poly1305.KeySize); err != nil {
			return nil, err
		}
	case kind == kindPassphrase && len(s.Passphrase) > 0:
		t, m, p := binary.BigEndian.Uint32(header[atPasses:]), binary.BigEndian.Uint32(header[atMemory:]), header[atThreads]
		if t < 1 || t > maxPasses || m > maxMemory || p < 1 || p > maxThreads {
			return nil, fmt.Errorf("the exported vTPM asks for Argon2id with %d passes over %d KiB in %d threads, which is refused", t, m, p)
		}
		key = argon2.IDKey(s.Passphrase, salt, t, m, p, chacha20poly1305.KeySize)
	case kind == kindKey:
		return nil, errors.New("the exported vTPM was encrypted with a key, not a passphrase")
	case kind == kindPassphrase:
		return nil, errors.New("the exported vTPM was encrypted with a passphrase, not a key")
	default:
		return nil, fmt.Errorf("the exported vTPM is encrypted in a way that this version does not know (%d)", kind)
	}
	defer clear(key)
	return chacha20poly1305.NewX(key)
}
