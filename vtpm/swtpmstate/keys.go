package swtpmstate

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/subtle"
	"errors"
	"fmt"
)

// How a password becomes a key: the options of kdf= of swtpm's --key.
const (
	PBKDF2 = "pbkdf2"
	SHA512 = "sha512"
)

// PasswordKey returns the key of size bytes, 16 or 32, that swtpm makes of a password.
// The password is all that is in the password's file, an end of line included.
func PasswordKey(password []byte, kdf string, size int) ([]byte, error) {
	switch kdf {
	case PBKDF2:
		return pbkdf2.Key(sha512.New, string(password), []byte("swtpm"), 1000, size)
	case SHA512:
		sum := sha512.Sum512(password)
		return sum[:size], nil
	}
	return nil, fmt.Errorf("there is no kdf %q: choose %s or %s", kdf, PBKDF2, SHA512)
}

// decrypt checks the HMAC over ciphertext and IV, then decrypts. Without an IV it is
// zero.
func decrypt(key, ciphertext, mac, iv []byte) ([]byte, error) {
	h := hmac.New(sha256.New, key)
	h.Write(ciphertext)
	h.Write(iv)
	if !hmac.Equal(h.Sum(nil), mac) {
		return nil, ErrWrongKey
	}
	switch {
	case iv == nil:
		iv = make([]byte, aes.BlockSize)
	case len(iv) < aes.BlockSize:
		return nil, fmt.Errorf("its IV has %d bytes", len(iv))
	}
	return decryptCBC(key, ciphertext, iv[:aes.BlockSize])
}

// decrypt1 decrypts as version 1 of the format has it: a zero IV, and a SHA-256 of the
// state before it.
func decrypt1(key, ciphertext []byte) ([]byte, error) {
	plain, err := decryptCBC(key, ciphertext, make([]byte, aes.BlockSize))
	if err != nil {
		return nil, ErrWrongKey
	}
	if len(plain) < sha256.Size {
		return nil, ErrWrongKey
	}
	sum := sha256.Sum256(plain[sha256.Size:])
	if subtle.ConstantTimeCompare(sum[:], plain[:sha256.Size]) != 1 {
		return nil, ErrWrongKey
	}
	return plain[sha256.Size:], nil
}

// decryptCBC decrypts and takes off the padding, which is to a multiple of the key's
// size.
func decryptCBC(key, ciphertext, iv []byte) ([]byte, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	n := len(ciphertext)
	if n == 0 || n%len(key) != 0 {
		return nil, fmt.Errorf("%d encrypted bytes are not a multiple of %d", n, len(key))
	}
	plain := make([]byte, n)
	cipher.NewCBCDecrypter(block, iv).CryptBlocks(plain, ciphertext)
	pad := int(plain[n-1])
	if pad == 0 || pad > len(key) || !bytes.Equal(plain[n-pad:], bytes.Repeat([]byte{byte(pad)}, pad)) {
		return nil, errors.New("the padding is wrong")
	}
	return plain[:n-pad], nil
}
