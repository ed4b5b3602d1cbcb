package etcd

import (
	"bytes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"

	"golang.org/x/crypto/chacha20poly1305"
)

// The head begins with a magic that says the version of all of a state's values. Then:
//
//	28  generation, random
//	44  nonce of the wrapping
//	68  the generation's key, and the tag of the wrapping
//	116 nonce
//	140 sealed: chunks of the snapshot u32, number of the last frame u64, its link
//
// All numbers are big-endian. A frame or a chunk is a nonce and what is sealed: the
// length u32 and the text, then zeros.
const (
	magic = "bootseal vTPM state etcd 1\n\x00"

	genSize   = 16
	nonceSize = chacha20poly1305.NonceSizeX
	tagSize   = chacha20poly1305.Overhead
	linkSize  = tagSize

	atGen       = len(magic)
	atWrapNonce = atGen + genSize
	atKey       = atWrapNonce + nonceSize
	atNonce     = atKey + chacha20poly1305.KeySize + tagSize
	atSealed    = atNonce + nonceSize
	headSize    = atSealed + 4 + 8 + linkSize + tagSize

	// padding is the unit in which etcd learns how much a Commit changed, in bytes.
	padding = 256
)

// generation is a snapshot and the frames behind it, and where among them we are.
type generation struct {
	state string // the state's name, which everything is bound to
	id    [genSize]byte
	wrap  []byte // nonce and wrapped key, as in the head
	aead  cipher.AEAD

	chunks uint32
	frames uint64 // so many there are, numbered from 1
	link   []byte // tag of the last frame
}

// wrapping returns the cipher of generations' keys. It derives from the key to states, so
// that a wrapped key of a directory's file can never be taken for one of ours.
func wrapping(key []byte) (cipher.AEAD, error) {
	k, err := hkdf.Key(sha256.New, key, nil, "bootseal vTPM state in etcd", chacha20poly1305.KeySize)
	if err != nil {
		return nil, err
	}
	defer clear(k)
	return chacha20poly1305.NewX(k)
}

// newGeneration returns a generation without frames, with a key of its own.
func newGeneration(state string, wrapper cipher.AEAD) (*generation, error) {
	g := &generation{state: state, link: make([]byte, linkSize)}
	rand.Read(g.id[:])
	key := make([]byte, chacha20poly1305.KeySize)
	defer clear(key)
	rand.Read(key)
	nonce := make([]byte, nonceSize)
	rand.Read(nonce)
	g.wrap = wrapper.Seal(nonce, nonce, key, g.wrapBinding())
	var err error
	g.aead, err = chacha20poly1305.NewX(key)
	return g, err
}

func (g *generation) wrapBinding() []byte {
	return append(append([]byte(magic), g.id[:]...), g.state...)
}

// with returns the generation after one frame more.
func (g *generation) with(link []byte) *generation {
	next := *g
	next.frames++
	next.link = link
	return &next
}

// head returns the head that says where the generation is.
func (g *generation) head() []byte {
	b := append([]byte(magic), g.id[:]...)
	b = append(b, g.wrap...)
	text := binary.BigEndian.AppendUint32(nil, g.chunks)
	text = binary.BigEndian.AppendUint64(text, g.frames)
	text = append(text, g.link...)
	return append(b, g.seal('h', 0, nil, text)...)
}

// openHead returns what a head says.
func openHead(state string, b []byte, wrapper cipher.AEAD) (*generation, error) {
	if !bytes.HasPrefix(b, []byte(magic)) {
		return nil, errors.New("the head is none of this version")
	}
	if len(b) != headSize {
		return nil, fmt.Errorf("the head has %d bytes instead of %d", len(b), headSize)
	}
	g := &generation{state: state, id: [genSize]byte(b[atGen:]), wrap: bytes.Clone(b[atWrapNonce:atNonce])}
	key, err := wrapper.Open(nil, b[atWrapNonce:atKey], b[atKey:atNonce], g.wrapBinding())
	if err != nil {
		return nil, errors.New("the state cannot be decrypted: it is encrypted with another key, or of another vTPM")
	}
	defer clear(key)
	if g.aead, err = chacha20poly1305.NewX(key); err != nil {
		return nil, err
	}
	text, err := g.open('h', 0, nil, b[atNonce:])
	if err != nil {
		return nil, fmt.Errorf("the head: %w", err)
	}
	g.chunks = binary.BigEndian.Uint32(text)
	g.frames = binary.BigEndian.Uint64(text[4:])
	g.link = text[12:]
	if g.chunks == 0 || g.chunks > maxChunks || g.frames > maxFrames {
		return nil, fmt.Errorf("the head says %d chunks and %d frames", g.chunks, g.frames)
	}
	return g, nil
}

// chunk seals one chunk of the snapshot.
func (g *generation) chunk(index uint32, text []byte) []byte {
	return g.seal('s', uint64(index), nil, padded(text))
}

func (g *generation) openChunk(index uint32, b []byte) ([]byte, error) {
	text, err := g.open('s', uint64(index), nil, b)
	if err != nil {
		return nil, err
	}
	return unpadded(text)
}

// frame seals the next frame, and returns the generation behind it.
func (g *generation) frame(text []byte) (b []byte, next *generation) {
	plain := padded(text)
	defer clear(plain)
	b = g.seal('f', g.frames+1, g.link, plain)
	return b, g.with(b[len(b)-linkSize:])
}

// openFrame opens the frame that follows, which is bound to all before it.
func (g *generation) openFrame(b []byte) (text []byte, next *generation, err error) {
	plain, err := g.open('f', g.frames+1, g.link, b)
	if err != nil {
		return nil, nil, err
	}
	text, err = unpadded(plain)
	return text, g.with(b[len(b)-linkSize:]), err
}

// binding is what a value is authenticated with: the kind of value, its number, the frame
// before it. That it is of this generation the key says.
func binding(kind byte, number uint64, link []byte) []byte {
	return append(binary.BigEndian.AppendUint64([]byte{kind}, number), link...)
}

func (g *generation) seal(kind byte, number uint64, link, text []byte) []byte {
	nonce := make([]byte, nonceSize, nonceSize+len(text)+tagSize)
	rand.Read(nonce)
	return g.aead.Seal(nonce, nonce, text, binding(kind, number, link))
}

func (g *generation) open(kind byte, number uint64, link, b []byte) ([]byte, error) {
	if len(b) < nonceSize+tagSize {
		return nil, errors.New("it is cut short")
	}
	text, err := g.aead.Open(nil, b[:nonceSize], b[nonceSize:], binding(kind, number, link))
	if err != nil {
		return nil, errors.New("its authentication is wrong")
	}
	return text, nil
}

// keys below the state's own.
func (g *generation) prefix() string { return "g/" + hex.EncodeToString(g.id[:]) + "/" }

func (g *generation) chunkKey(index uint32) string { return fmt.Sprintf("%ss/%08x", g.prefix(), index) }

func (g *generation) frameKey(number uint64) string {
	return fmt.Sprintf("%sf/%016x", g.prefix(), number)
}

func padded(text []byte) []byte {
	size := (4 + len(text) + padding - 1) / padding * padding
	b := binary.BigEndian.AppendUint32(make([]byte, 0, size), uint32(len(text)))
	return append(b, text...)[:size]
}

func unpadded(b []byte) ([]byte, error) {
	if len(b) < 4 || uint64(binary.BigEndian.Uint32(b)) > uint64(len(b)-4) {
		return nil, errors.New("its length is wrong")
	}
	return b[4 : 4+binary.BigEndian.Uint32(b)], nil
}
