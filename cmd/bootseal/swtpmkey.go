package main

import (
	"bytes"
	"crypto/hkdf"
	"crypto/pbkdf2"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"errors"
	"fmt"
	"os"

	"github.com/bootseal/bootseal/vtpm/swtpmstate"
)

const (
	maxKeyFile = 4096
	// passwordRounds slows down who tries passwords; it takes a machine about 50 ms.
	passwordRounds = 100_000
)

// givenKey is what --key or --migration-key has given.
type givenKey struct {
	flag   string
	size   int    // bytes of the key that swtpm would use
	secret []byte // the key, or the password
	kdf    string // how the password becomes a key; "" for a key
}

// readKey reads the key of --key or --migration-key, 32 bytes. Nil: there is none.
//
// The modes are swtpm's names and say how long the key is. What it encrypts is not in
// swtpm's format but authenticated encryption, and a key for one purpose is of no use
// for the other.
func readKey(flag, value string) ([]byte, error) {
	g, err := readGivenKey(flag, value)
	if g == nil || err != nil {
		return nil, err
	}
	defer clear(g.secret)
	return g.bootseal(flag)
}

// readGivenKey reads what the value of a flag says. Nil: there is none.
func readGivenKey(flag, value string) (*givenKey, error) {
	if value == "" {
		return nil, nil
	}
	o, err := parseOptions(flag, value, "file", "fd", "pwdfile", "pwdfd", "mode", "format", "remove", "kdf")
	if err != nil {
		return nil, err
	}
	mode, err := o.oneOf("mode", "aes-cbc", "aes-128-cbc", "aes-256-cbc")
	if err != nil {
		return nil, err
	}
	g := &givenKey{flag: flag, size: 16}
	if mode == "aes-256-cbc" {
		g.size = 32
	}
	switch {
	case o.has("file") || o.has("fd"):
		g.secret, err = o.key(g.size)
	case o.has("pwdfile") || o.has("pwdfd"):
		g.secret, g.kdf, err = o.password()
	default:
		err = fmt.Errorf("--%s: one of file, fd, pwdfile and pwdfd is needed", flag)
	}
	if err == nil {
		err = o.removeKey()
	}
	return g, err
}

// removeKey removes the key's file, where that is asked for.
func (o optionList) removeKey() error {
	remove, err := o.yes("remove")
	if err != nil || !remove {
		return err
	}
	for _, name := range []string{o.values["file"], o.values["pwdfile"]} {
		if name != "" {
			err = errors.Join(err, os.Remove(name))
		}
	}
	if err != nil {
		return fmt.Errorf("--%s: remove the key's file: %w", o.flag, err)
	}
	return nil
}

// bootseal returns the key that encrypts what bootseal keeps for the purpose of a flag.
func (g *givenKey) bootseal(purpose string) ([]byte, error) {
	secret := g.secret
	switch g.kdf {
	case swtpmstate.SHA512:
		sum := sha512.Sum512(g.secret)
		secret = sum[:]
	case swtpmstate.PBKDF2:
		var err error
		secret, err = pbkdf2.Key(sha512.New, string(g.secret), []byte("bootseal "+purpose), passwordRounds, 32)
		if err != nil {
			return nil, err
		}
	}
	return hkdf.Key(sha256.New, secret, nil, "bootseal "+purpose, 32)
}

// swtpm returns the key that swtpm would use.
func (g *givenKey) swtpm() ([]byte, error) {
	if g == nil {
		return nil, nil
	}
	if g.kdf == "" {
		return g.secret, nil
	}
	return swtpmstate.PasswordKey(g.secret, g.kdf, g.size)
}

// key returns a key of size bytes, in binary or in hexadecimal with or without 0x.
func (o optionList) key(size int) ([]byte, error) {
	format, err := o.oneOf("format", "hex", "binary")
	if err != nil {
		return nil, err
	}
	data, err := o.content("file", "fd", maxKeyFile)
	if err != nil {
		return nil, err
	}
	if format == "hex" {
		data, err = hex.DecodeString(string(bytes.TrimPrefix(bytes.TrimSpace(data), []byte("0x"))))
		if err != nil {
			return nil, fmt.Errorf("--%s: the key is not hexadecimal", o.flag)
		}
	}
	if len(data) < size {
		return nil, fmt.Errorf("--%s: the key has %d bytes, %d are needed", o.flag, len(data), size)
	}
	return data[:size], nil
}

// password returns a password, and how it becomes a key.
func (o optionList) password() (password []byte, kdf string, err error) {
	kdf, err = o.oneOf("kdf", swtpmstate.PBKDF2, swtpmstate.SHA512)
	if err != nil {
		return nil, "", err
	}
	password, err = o.content("pwdfile", "pwdfd", maxKeyFile)
	if err == nil && len(password) == 0 {
		err = fmt.Errorf("--%s: the password is empty", o.flag)
	}
	return password, kdf, err
}
