package crypt

import (
	"bytes"
	"encoding"
	"hash"

	"github.com/bootseal/bootseal/vtpm/internal/wire"
)

// MAC is an HMAC (FIPS 198-1) or CMAC (NIST SP 800-38B) whose state can be saved
// halfway and loaded later, as TPM2_ContextSave wants of a sequence. The standard
// library's HMAC cannot.
type MAC struct {
	alg    wire.Alg // a hash algorithm, or TPM_ALG_CMAC
	cipher wire.Alg // of TPM_ALG_CMAC
	key    []byte
	state  hash.Hash // the inner hash of an HMAC, all of a CMAC
}

// NewMAC returns an HMAC with the hash algorithm alg or, for TPM_ALG_CMAC, a CMAC
// with the block cipher, which otherwise does not matter. It keeps no reference to
// key. Errors: TPM_RC_HASH, TPM_RC_SYMMETRIC, TPM_RC_KEY_SIZE.
func NewMAC(alg, cipher wire.Alg, key []byte) (*MAC, error) {
	m, err := newMAC(alg, cipher, key)
	if err == nil && alg != wire.AlgCMAC {
		m.state.Write(m.pad(0x36))
	}
	return m, err
}

// newMAC returns a MAC into which nothing was written.
func newMAC(alg, cipher wire.Alg, key []byte) (*MAC, error) {
	m := &MAC{alg: alg, cipher: cipher, key: bytes.Clone(key)}
	if alg == wire.AlgCMAC {
		var err error
		m.state, err = NewCMAC(cipher, key)
		return m, err
	}
	if m.state = New(alg); m.state == nil {
		return nil, wire.RCHash
	}
	return m, nil
}

// pad returns the HMAC key, a digest of it if it is longer than a block, filled up
// with zeros and combined with a byte.
func (m *MAC) pad(with byte) []byte {
	key := m.key
	if len(key) > m.state.BlockSize() {
		key = Digest(m.alg, key)
	}
	block := make([]byte, m.state.BlockSize())
	copy(block, key)
	for i := range block {
		block[i] ^= with
	}
	return block
}

// Write adds data. It does not fail.
func (m *MAC) Write(data []byte) (int, error) { return m.state.Write(data) }

// Sum returns the MAC of what was written, which more can follow.
func (m *MAC) Sum() []byte {
	if m.alg == wire.AlgCMAC {
		return m.state.Sum(nil)
	}
	return Digest(m.alg, m.pad(0x5C), m.state.Sum(nil))
}

// Clear overwrites the key.
func (m *MAC) Clear() { clear(m.key) }

// MarshalBinary returns the state, the key included.
func (m *MAC) MarshalBinary() ([]byte, error) {
	state, err := m.state.(encoding.BinaryMarshaler).MarshalBinary()
	if err != nil {
		return nil, err
	}
	var w wire.Writer
	m.alg.Write(&w)
	m.cipher.Write(&w)
	w.Sized(m.key)
	w.Sized(state)
	return w.Data(), nil
}

// UnmarshalBinary undoes MarshalBinary. The errors are those of NewMAC and of reading.
func (m *MAC) UnmarshalBinary(data []byte) error {
	r := wire.NewReader(data, &wire.Limits{})
	alg, cipher := wire.Alg(r.U16()), wire.Alg(r.U16())
	key := r.Sized(len(data))
	state := r.Sized(len(data))
	if r.OK() && r.Len() != 0 {
		r.Fail(wire.RCSize)
	}
	if err := r.Err(); err != nil {
		return err
	}
	loaded, err := newMAC(alg, cipher, key)
	if err != nil {
		return err
	}
	*m = *loaded
	return m.state.(encoding.BinaryUnmarshaler).UnmarshalBinary(state)
}

// MarshalBinary returns what a CMAC has taken in, without the key.
func (c *cmac) MarshalBinary() ([]byte, error) {
	return append(bytes.Clone(c.state), byte(c.used)), nil
}

// UnmarshalBinary undoes MarshalBinary, for a CMAC with the same key.
func (c *cmac) UnmarshalBinary(data []byte) error {
	n := len(c.state)
	if len(data) != n+1 || int(data[n]) > n {
		return wire.RCSize
	}
	copy(c.state, data)
	c.used = int(data[n])
	return nil
}
