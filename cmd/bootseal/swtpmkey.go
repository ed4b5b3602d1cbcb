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
)

const (
	maxKeyFile = 4096
	// passwordRounds slows down who tries passwords; it takes a machine about 50 ms.
	passwordRounds = 100_000
)

// readKey reads the key of --key or --migration-key, 32 bytes. Nil: there is none.
//
// The modes are swtpm's names and say how long the key is. What it encrypts is not in
// swtpm's format but authenticated encryption, and a key for one purpose is of no use
// for the other.
func readKey(flag, value string) ([]byte, error) {
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
	size := 16
	if mode == "aes-256-cbc" {
		size = 32
	}
	var secret []byte
	switch {
	case o.has("file") || o.has("fd"):
		secret, err = o.key(size)
	case o.has("pwdfile") || o.has("pwdfd"):
		secret, err = o.password()
	default:
		err = fmt.Errorf("--%s: one of file, fd, pwdfile and pwdfd is needed", flag)
	}
	if err != nil {
		return nil, err
	}
	defer clear(secret)
	if remove, err := o.oneOf("remove", "false", "true"); err != nil {
		return nil, err
	} else if remove == "true" {
		for _, name := range []string{o.values["file"], o.values["pwdfile"]} {
			if name != "" {
				err = errors.Join(err, os.Remove(name))
			}
		}
		if err != nil {
			return nil, fmt.Errorf("--%s: remove the key's file: %w", flag, err)
		}
	}
	return hkdf.Key(sha256.New, secret, nil, "bootseal "+flag, 32)
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

func (o optionList) password() ([]byte, error) {
	kdf, err := o.oneOf("kdf", "pbkdf2", "sha512")
	if err != nil {
		return nil, err
	}
	data, err := o.content("pwdfile", "pwdfd", maxKeyFile)
	if err != nil {
		return nil, err
	}
	defer clear(data)
	if len(data) == 0 {
		return nil, fmt.Errorf("--%s: the password is empty", o.flag)
	}
	if kdf == "sha512" {
		sum := sha512.Sum512(data)
		return sum[:], nil
	}
	return pbkdf2.Key(sha512.New, string(data), []byte("bootseal "+o.flag), passwordRounds, 32)
}
