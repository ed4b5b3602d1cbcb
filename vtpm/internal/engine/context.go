package engine

import (
	"crypto/subtle"
	"encoding/binary"

	"github.com/bootseal/bootseal/vtpm/internal/crypt"
	"github.com/bootseal/bootseal/vtpm/internal/wire"
)

// The algorithms that protect saved contexts (TPM_PT_CONTEXT_HASH and
// TPM_PT_CONTEXT_SYM); the cipher's key has ContextKeyLen bytes.
const (
	ContextHash   = wire.AlgSHA512
	ContextCipher = wire.AlgAES
)

// contextVersion is the version of what is inside a context. A context is of use
// to the TPM that saved it until the next TPM Reset, so that a version reads its
// own alone.
const contextVersion = 1

// ProtectContext encrypts the contents of a context and makes them, and the other
// fields of c, unalterable (Part 1, "Context Protections"): the keys come from
// the proof of the hierarchy, and what is still to be loaded after a TPM Reset,
// or an object with stClear after a TPM Restart, is of no use.
//
// The blob is a TPM2B_DIGEST with the HMAC of the rest; an IV; and in CFB mode
// the version and data. The IV is random, since the key is only as fresh as the
// sequence number: a virtual TPM that is restored to an earlier state would use it
// again.
func (t *TPM) ProtectContext(c *wire.TPMSContext, data []byte) error {
	iv, err := t.RandomBytes(crypt.CipherBlockSize(ContextCipher))
	if err != nil {
		return err
	}
	var body wire.Writer
	body.Bytes(iv)
	body.U8(contextVersion)
	body.Bytes(data)
	key := t.contextKey(c)
	defer clear(key)
	if err := crypt.EncryptCFB(ContextCipher, key, iv, body.Data()[len(iv):]); err != nil {
		return err
	}
	var blob wire.Writer
	blob.Sized(t.contextIntegrity(c, body.Data()))
	blob.Bytes(body.Data())
	c.ContextBlob = blob.Data()
	return nil
}

// UnprotectContext returns the contents of a context, in memory of their own. It
// looks at nothing before the HMAC is found right. The errors are those of
// TPM2_ContextLoad: TPM_RC_SIZE, TPM_RC_INSUFFICIENT and TPM_RC_INTEGRITY.
func (t *TPM) UnprotectContext(c *wire.TPMSContext) ([]byte, error) {
	r := wire.NewReader(c.ContextBlob, t.Limits())
	integrity := r.Sized(wire.MaxDigest)
	if err := r.Err(); err != nil {
		return nil, err
	}
	ivLen := crypt.CipherBlockSize(ContextCipher)
	if len(integrity) != crypt.Size(ContextHash) || r.Len() <= ivLen {
		return nil, wire.RCSize.Param(1)
	}
	if subtle.ConstantTimeCompare(integrity, t.contextIntegrity(c, r.Rest())) != 1 {
		return nil, wire.RCIntegrity.Param(1)
	}
	iv := r.Bytes(ivLen)
	data := append([]byte(nil), r.Rest()...)
	key := t.contextKey(c)
	defer clear(key)
	if err := crypt.DecryptCFB(ContextCipher, key, iv, data); err != nil {
		return nil, err
	}
	if data[0] != contextVersion {
		return nil, wire.RCIntegrity.Param(1)
	}
	return data[1:], nil
}

// contextKey returns the key that encrypts a context.
func (t *TPM) contextKey(c *wire.TPMSContext) []byte {
	sequence := binary.BigEndian.AppendUint64(nil, c.Sequence)
	handle := wire.Marshal(c.SavedHandle)
	return crypt.KDFa(ContextHash, t.Proof(c.Hierarchy), "CONTEXT", sequence, handle, 8*ContextKeyLen)
}

// contextIntegrity returns the HMAC of a context. The proof stands for the
// hierarchy; the handle comes first, so that what follows is read in one way.
func (t *TPM) contextIntegrity(c *wire.TPMSContext, body []byte) []byte {
	var w wire.Writer
	c.SavedHandle.Write(&w)
	w.U64(t.Clock.TotalResetCount)
	if c.SavedHandle == wire.SavedSTClear {
		w.U32(t.Objects.ClearCount)
	}
	w.U64(c.Sequence)
	return crypt.HMAC(ContextHash, t.Proof(c.Hierarchy), w.Data(), body)
}
