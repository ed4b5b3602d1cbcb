package keygen

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/binary"
	"fmt"
	"io"
)

// Stream is where keys take their bits from. How the calls are cut matters: a
// DRBG runs one generate operation, with its own state update, for each Read.
// A Read fills the whole of p or returns an error.
type Stream = io.Reader

const (
	drbgKeySize  = 32                          // AES-256
	drbgSeedSize = drbgKeySize + aes.BlockSize // key, then V
	maxRequest   = 1 << 16                     // bytes a generate operation may return
)

// DRBG is the CTR_DRBG of SP 800-90A, 10.2.1, with AES-256. It is deterministic
// after NewSeeded and not safe for use by several goroutines.
type DRBG struct {
	key [drbgKeySize]byte
	v   [aes.BlockSize]byte
}

// NewSeeded returns the DRBG whose state follows from seed, purpose, name and
// additional alone. purpose is a label as in the KDFs of Part 1: its terminating
// zero is added here. The step that condenses the inputs is described in the
// package's documentation; it is not the Block_Cipher_df of SP 800-90A.
func NewSeeded(seed []byte, purpose string, name, additional []byte) *DRBG {
	label := append([]byte(purpose), 0)
	material := condense(seed, label, name, additional)
	d := new(DRBG)
	d.update(&material)
	clear(material[:])
	return d
}

// Read fills p with one generate operation (SP 800-90A, 10.2.1.5.1, without
// additional input). It returns an error for requests over 65,536 bytes.
func (d *DRBG) Read(p []byte) (int, error) {
	if len(p) > maxRequest {
		return 0, fmt.Errorf("generate %d bytes: the limit of one request is %d", len(p), maxRequest)
	}
	if len(p) == 0 {
		return 0, nil
	}
	block := newAES(d.key[:])
	d.keystream(block, p)
	d.next(block, nil)
	return len(p), nil
}

// Stir mixes data into the state: condensed, it takes the place of the entropy
// input of a reseed operation. Empty data still updates the state.
func (d *DRBG) Stir(data []byte) {
	material := condense(data)
	d.update(&material)
	clear(material[:])
}

// Clear erases the state.
func (d *DRBG) Clear() { *d = DRBG{} }

// update is CTR_DRBG_Update of SP 800-90A, 10.2.1.2.
func (d *DRBG) update(provided *[drbgSeedSize]byte) { d.next(newAES(d.key[:]), provided) }

// next is update with the key schedule of the current key already made; nil
// stands for provided data of zeros.
func (d *DRBG) next(block cipher.Block, provided *[drbgSeedSize]byte) {
	var state [drbgSeedSize]byte
	d.keystream(block, state[:])
	if provided != nil {
		for i, b := range provided {
			state[i] ^= b
		}
	}
	copy(d.key[:], state[:drbgKeySize])
	copy(d.v[:], state[drbgKeySize:])
	clear(state[:])
}

// keystream fills p with encryptions of V, which is incremented before each.
func (d *DRBG) keystream(block cipher.Block, p []byte) {
	var out [aes.BlockSize]byte
	for len(p) > 0 {
		for i := len(d.v) - 1; i >= 0; i-- {
			if d.v[i]++; d.v[i] != 0 {
				break
			}
		}
		block.Encrypt(out[:], d.v[:])
		p = p[copy(p, out[:]):]
	}
	clear(out[:])
}

func newAES(key []byte) cipher.Block {
	block, err := aes.NewCipher(key)
	if err != nil {
		panic("keygen: " + err.Error()) // the key's length is a constant
	}
	return block
}

// condenser has the running state of condense: three chaining values, which
// become the output, and a block that is being filled.
type condenser struct {
	cipher cipher.Block
	chain  [drbgSeedSize / aes.BlockSize][aes.BlockSize]byte
	block  [aes.BlockSize]byte
	fill   int
}

// condense reduces the concatenation of parts to key and V for an update.
func condense(parts ...[]byte) [drbgSeedSize]byte {
	var total uint32
	for _, p := range parts {
		total += uint32(len(p))
	}
	var key [drbgKeySize]byte
	for i := range key {
		key[i] = byte(i)
	}
	c := condenser{cipher: newAES(key[:])}
	for i := range c.chain {
		c.chain[i][3] = byte(i)
	}
	c.compress()
	// The lengths belong in the next block. The reference overwrites the head of
	// the first chaining value with them and leaves four zeros in the block; keys
	// in the field depend on it.
	binary.BigEndian.PutUint32(c.chain[0][0:], total)
	binary.BigEndian.PutUint32(c.chain[0][4:], drbgSeedSize)
	c.fill = 4
	for _, p := range parts {
		c.absorb(p)
	}
	c.block[c.fill] = 0x80
	c.compress()

	var out [drbgSeedSize]byte
	for i := range c.chain {
		copy(out[i*aes.BlockSize:], c.chain[i][:])
	}
	c.chain = [len(c.chain)][aes.BlockSize]byte{}
	return out
}

func (c *condenser) absorb(p []byte) {
	for len(p) > 0 {
		n := copy(c.block[c.fill:], p)
		p = p[n:]
		if c.fill += n; c.fill == len(c.block) {
			c.compress()
		}
	}
}

// compress takes the block in. The input of each encryption accumulates those
// of the chaining values before it, where SP 800-90A has independent ones.
func (c *condenser) compress() {
	var in [aes.BlockSize]byte
	for i := range c.chain {
		for j := range in {
			in[j] ^= c.chain[i][j] ^ c.block[j]
		}
		c.cipher.Encrypt(c.chain[i][:], in[:])
	}
	clear(in[:])
	clear(c.block[:])
	c.fill = 0
}
