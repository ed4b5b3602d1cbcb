package store

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"

	"golang.org/x/crypto/chacha20poly1305"
)

// The magic begins a state file and says the version of its layout.
const (
	magicPrefix = "bootseal vTPM state "
	magic       = magicPrefix + "2\n"
)

// maxFile bounds the size of a state file, in bytes, and so the memory that it takes
// to read one.
const maxFile = 64 << 20

// The header is the first block. All of it is public but the key, and all of it is
// fixed when the file is made:
//
//	 0  magic
//	22  wrapping: how the file's key is kept
//	24  size of the file, u64
//	32  identity of the file, random
//	48  nonce of the wrapping, random
//	72  the file's key, and the tag of the wrapping
//	480 SHA-256 of the bytes before
const (
	atWrapping    = 22
	atSize        = 24
	atIdentity    = 32
	atNonce       = atIdentity + 16
	atKey         = atNonce + chacha20poly1305.NonceSizeX
	atKeyEnd      = atKey + KeySize + chacha20poly1305.Overhead
	atHeaderCheck = blockSize - sha256.Size
)

// Kinds of wrapping. A key in the clear protects nothing: the file is as readable
// as its header.
const (
	wrapClear             = 0
	wrapXChaCha20Poly1305 = 1
)

// newHeader returns the header of a file of size bytes, with a new key.
func newHeader(size int64, o Options) (block, key []byte, err error) {
	block = make([]byte, blockSize)
	copy(block, magic)
	binary.BigEndian.PutUint64(block[atSize:], uint64(size))
	rand.Read(block[atIdentity:atKey])
	key = make([]byte, KeySize)
	rand.Read(key)
	if o.Key == nil {
		copy(block[atKey:], key)
	} else {
		block[atWrapping] = wrapXChaCha20Poly1305
		aead, err := chacha20poly1305.NewX(o.Key)
		if err != nil {
			return nil, nil, fmt.Errorf("encrypt the file's key: %w", err)
		}
		aead.Seal(block[:atKey], block[atNonce:atKey], key, wrapBinding(block, o))
	}
	sum := sha256.Sum256(block[:atHeaderCheck])
	copy(block[atHeaderCheck:], sum[:])
	return block, key, nil
}

// wrapBinding is what a key is wrapped for: this header, this instance.
func wrapBinding(block []byte, o Options) []byte {
	return append(bytes.Clone(block[:atNonce]), o.Instance...)
}

// readHeader returns the file's key. clear says that it was not encrypted.
func readHeader(data []byte, o Options) (key []byte, clear bool, err error) {
	if len(data) < blockSize {
		return nil, false, errors.New("the state is cut short")
	}
	block := data[:blockSize]
	if sum := sha256.Sum256(block[:atHeaderCheck]); !bytes.Equal(sum[:], block[atHeaderCheck:]) {
		return nil, false, errors.New("the state is damaged: the checksum of its header is wrong")
	}
	if size := binary.BigEndian.Uint64(block[atSize:]); size != uint64(len(data)) || size%blockSize != 0 {
		return nil, false, fmt.Errorf("the state is damaged: it has %d bytes, and its header says %d", len(data), size)
	}
	switch block[atWrapping] {
	case wrapClear:
		return bytes.Clone(block[atKey:][:KeySize]), true, nil
	case wrapXChaCha20Poly1305:
		key, err = unwrap(block, o)
		return key, false, err
	}
	return nil, false, fmt.Errorf("the state is encrypted in a way that this version does not know (%d)", block[atWrapping])
}

func unwrap(block []byte, o Options) ([]byte, error) {
	if o.Key == nil {
		return nil, errors.New("the state is encrypted, and no key was given")
	}
	aead, err := chacha20poly1305.NewX(o.Key)
	if err != nil {
		return nil, fmt.Errorf("decrypt the file's key: %w", err)
	}
	key, err := aead.Open(nil, block[atNonce:atKey], block[atKey:atKeyEnd], wrapBinding(block, o))
	if err != nil {
		return nil, errors.New("the state cannot be decrypted: it is encrypted with another key, or of another instance")
	}
	return key, nil
}
