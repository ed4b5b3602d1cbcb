package seal

import (
	"bytes"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
)

const (
	// pinIterations is the PBKDF2 count of systemd's PIN derivation. It is small
	// because the TPM limits the tries; its purpose is that the TPM, which gets
	// the result, does not get the PIN.
	pinIterations = 10000

	pinSaltSize = 32 // bytes
)

// pinAuth returns the authValue that systemd derives from a PIN, so that either
// opens what the other has sealed. In version 257 it is
//
//	SHA256(base64(PBKDF2-HMAC-SHA256(pin, salt, 10000 iterations, 32 bytes)))
//
// and without a salt, as in version 252, SHA256(pin). Trailing zero bytes are
// removed in both, as Part 1 ("Authorization Values") demands of authValues.
func pinAuth(pin, salt []byte) ([]byte, error) {
	text := bytes.Clone(pin)
	defer func() { clear(text) }()
	if len(salt) != 0 {
		k, err := pbkdf2.Key(sha256.New, string(pin), salt, pinIterations, sha256.Size)
		if err != nil {
			return nil, fmt.Errorf("derive the PIN: %w", err)
		}
		defer clear(k)
		clear(text)
		text = base64.StdEncoding.AppendEncode(nil, k)
	}
	sum := sha256.Sum256(text)
	return trimAuth(sum[:]), nil
}

func newPINSalt() []byte {
	salt := make([]byte, pinSaltSize)
	_, _ = rand.Read(salt) // never fails, by its documentation
	return salt
}

// trimAuth removes trailing zero bytes.
func trimAuth(auth []byte) []byte { return bytes.TrimRight(auth, "\x00") }
