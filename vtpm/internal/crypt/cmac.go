package crypt

import (
	"crypto/cipher"
	"crypto/subtle"
	"hash"

	"github.com/bootseal/bootseal/vtpm/internal/wire"
)

// NewCMAC returns a CMAC (NIST SP 800-38B) with the block cipher alg, as
// TPM2_MAC and TPM2_MAC_Start make with a symmetric cipher key. Errors:
// TPM_RC_SYMMETRIC, TPM_RC_KEY_SIZE.
func NewCMAC(alg wire.Alg, key []byte) (hash.Hash, error) {
	b, err := newCipher(alg, key)
	if err != nil {
		return nil, err
	}
	return &cmac{block: b, state: make([]byte, b.BlockSize())}, nil
}

// cmac keeps the running CBC-MAC with the newest input XORed into it but not
// yet encrypted: the last block is treated differently, and only Sum knows
// which one is the last.
type cmac struct {
	block cipher.Block
	state []byte
	used  int // bytes of input in state since it was encrypted
}

func (c *cmac) Size() int      { return len(c.state) }
func (c *cmac) BlockSize() int { return len(c.state) }

func (c *cmac) Reset() {
	clear(c.state)
	c.used = 0
}

func (c *cmac) Write(p []byte) (int, error) {
	total := len(p)
	for len(p) > 0 {
		if c.used == len(c.state) {
			c.block.Encrypt(c.state, c.state)
			c.used = 0
		}
		n := subtle.XORBytes(c.state[c.used:], c.state[c.used:], p[:min(len(p), len(c.state)-c.used)])
		c.used += n
		p = p[n:]
	}
	return total, nil
}

func (c *cmac) Sum(in []byte) []byte {
	n := len(c.state)
	subkey := make([]byte, n)
	c.block.Encrypt(subkey, subkey)
	double(subkey)
	last := append([]byte(nil), c.state...)
	if c.used < n {
		last[c.used] ^= 0x80
		double(subkey)
	}
	subtle.XORBytes(last, last, subkey)
	c.block.Encrypt(last, last)
	clear(subkey)
	return append(in, last...)
}

// double multiplies a block of 64 or 128 bits by x in the field of as many bits,
// without a branch on it.
func double(b []byte) {
	polynomial := byte(0x87)
	if len(b) == 8 {
		polynomial = 0x1B
	}
	carry := b[0] >> 7
	for i := range len(b) - 1 {
		b[i] = b[i]<<1 | b[i+1]>>7
	}
	b[len(b)-1] = b[len(b)-1]<<1 ^ polynomial*carry
}
