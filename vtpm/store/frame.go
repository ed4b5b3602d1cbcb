package store

import (
	"crypto/cipher"
	"encoding/binary"
	"errors"
	"fmt"
	"math"

	"golang.org/x/crypto/chacha20poly1305"
)

// The payloads of a frame's blocks, one after another, are a nonce, and a sealed
// text with its tag. The text is the encoded records behind their length (u32), and
// zeros: who reads the file learns how many blocks a Commit took.
const (
	nonceSize     = chacha20poly1305.NonceSizeX
	frameOverhead = nonceSize + 4 + chacha20poly1305.Overhead
)

// chain is where in a file a frame stands. A frame can be opened there only: behind
// the same frames, in the same file.
type chain struct {
	aead  cipher.AEAD
	frame uint64 // number of the next frame
	link  []byte // tag of the frame before it, or checksum of the header
}

func newChain(header, key []byte) (*chain, error) {
	aead, err := chacha20poly1305.NewX(key)
	if err != nil {
		return nil, err
	}
	return &chain{aead: aead, frame: 1, link: append([]byte(nil), header[atHeaderCheck:]...)}, nil
}

// frameBlocks returns how many blocks hold the encoded records.
func frameBlocks(records []byte) (int, error) {
	n := (len(records) + frameOverhead + blockPayload - 1) / blockPayload
	if n > math.MaxUint16 || n*blockSize > maxFile {
		return 0, fmt.Errorf("%d bytes of records are too many", len(records))
	}
	return n, nil
}

// binding is what a frame of count blocks is authenticated with.
func (c *chain) binding(count uint16) []byte {
	b := binary.BigEndian.AppendUint64(nil, c.frame)
	b = binary.BigEndian.AppendUint16(b, count)
	return append(b, c.link...)
}

// seal returns the next frame, as blocks, and the chain behind it.
func (c *chain) seal(nonce, records []byte) (blocks []byte, next *chain, err error) {
	count, err := frameBlocks(records)
	if err != nil {
		return nil, nil, err
	}
	text := make([]byte, count*blockPayload-nonceSize-chacha20poly1305.Overhead)
	defer clear(text)
	binary.BigEndian.PutUint32(text, uint32(len(records)))
	copy(text[4:], records)
	payload := append(make([]byte, 0, count*blockPayload), nonce...)
	payload = c.aead.Seal(payload, nonce, text, c.binding(uint16(count)))
	blocks = make([]byte, count*blockSize)
	for i := range count {
		b := blocks[i*blockSize:][:blockSize]
		copy(b[atPayload:atBlockCheck], payload[i*blockPayload:])
		blockID{c.frame, uint16(i), uint16(count)}.seal(b)
	}
	return blocks, c.behind(payload), nil
}

// open returns the encoded records in a frame whose blocks are whole, and the chain
// behind it.
func (c *chain) open(blocks []byte) (records []byte, next *chain, err error) {
	count := len(blocks) / blockSize
	payload := make([]byte, 0, count*blockPayload)
	for i := range count {
		payload = append(payload, blocks[i*blockSize:][atPayload:atBlockCheck]...)
	}
	if len(payload) < frameOverhead {
		return nil, nil, errors.New("it is too short")
	}
	text, err := c.aead.Open(nil, payload[:nonceSize], payload[nonceSize:], c.binding(uint16(count)))
	if err != nil {
		return nil, nil, errors.New("its authentication is wrong")
	}
	size := binary.BigEndian.Uint32(text)
	if uint64(size) > uint64(len(text)-4) || !isZero(text[4+size:]) {
		return nil, nil, errors.New("its length is wrong")
	}
	return text[4 : 4+size], c.behind(payload), nil
}

func (c *chain) behind(payload []byte) *chain {
	return &chain{aead: c.aead, frame: c.frame + 1, link: payload[len(payload)-chacha20poly1305.Overhead:]}
}
