package crypt

import (
	"crypto/subtle"

	"github.com/bootseal/bootseal/vtpm/internal/wire"
)

// Protection is what an outer wrap is made with (Part 1, "Protected Storage"):
// the parameters of the protecting key, and a seed that only it can know.
type Protection struct {
	Hash    wire.Alg // nameAlg of the protector
	Sym     wire.Alg // its block cipher
	KeyBits uint16   // the cipher's key size
	Seed    []byte   // seedValue of a parent, or a secret that was shared
}

// NewProtection returns the Protection by the key pub with seed: the seedValue
// in a parent's own sensitive area for the objects below it, or the secret from
// EncryptSecret for a credential or a duplicate.
func NewProtection(pub *wire.TPMTPublic, seed []byte) Protection {
	var sym *wire.TPMTSymDefObject
	switch pub.Type {
	case wire.AlgRSA:
		sym = &pub.Parameters.RSA.Symmetric
	case wire.AlgECC:
		sym = &pub.Parameters.ECC.Symmetric
	default:
		sym = &pub.Parameters.Sym.Sym
	}
	return Protection{Hash: pub.NameAlg, Sym: sym.Algorithm, KeyBits: sym.KeyBits, Seed: seed}
}

// Protect encrypts data and binds it to name (Part 1, "Outer Wrap"): a
// TPM2B_DIGEST with the HMAC of the rest and of name, a TPM2B_IV unless iv is
// nil, and data in CFB mode. Errors: TPM_RC_SYMMETRIC, TPM_RC_KEY_SIZE,
// TPM_RC_HASH for a Protection that is none, TPM_RC_VALUE for an iv of another
// size than the cipher's block.
func Protect(p Protection, name, iv, data []byte) ([]byte, error) {
	if Size(p.Hash) == 0 {
		return nil, wire.RCHash
	}
	body := writer(2 + len(iv) + len(data))
	if iv != nil {
		body.Sized(iv)
	}
	at := body.Len()
	body.Bytes(data)
	if err := p.crypt(EncryptCFB, name, iv, body.Data()[at:]); err != nil {
		return nil, err
	}
	var blob wire.Writer
	blob.Sized(p.integrity(name, body.Data()))
	blob.Bytes(body.Data())
	return blob.Data(), nil
}

// Unprotect undoes Protect; withIV says whether blob has a TPM2B_IV. It changes
// nothing in blob. Errors: TPM_RC_INTEGRITY if blob or name is not what Protect
// was given; TPM_RC_SIZE and TPM_RC_INSUFFICIENT if there is no digest to
// compare; the errors of Protect.
func Unprotect(p Protection, name []byte, withIV bool, blob []byte) ([]byte, error) {
	if Size(p.Hash) == 0 {
		return nil, wire.RCHash
	}
	r := wire.NewReader(blob, &wire.Limits{})
	integrity := r.Sized(wire.MaxDigest)
	if err := r.Err(); err != nil {
		return nil, err
	}
	if subtle.ConstantTimeCompare(integrity, p.integrity(name, r.Rest())) != 1 {
		return nil, wire.RCIntegrity
	}
	var iv []byte
	if withIV {
		iv = r.Sized(wire.MaxSymBlockSize)
		if err := r.Err(); err != nil {
			return nil, err
		}
		if len(iv) != CipherBlockSize(p.Sym) {
			return nil, wire.RCValue
		}
	}
	data := append([]byte{}, r.Rest()...)
	if err := p.crypt(DecryptCFB, name, iv, data); err != nil {
		return nil, err
	}
	return data, nil
}

// writer returns a Writer with room for n bytes: a buffer that grew would leave
// copies of the secrets in it behind.
func writer(n int) *wire.Writer { return wire.NewWriter(make([]byte, 0, n)) }

// integrity returns the HMAC of an outer wrap over body, which has the IV in it,
// and the Name (Part 1, "Integrity Values": HMACkey).
func (p Protection) integrity(name, body []byte) []byte {
	key := KDFa(p.Hash, p.Seed, labelIntegrity, nil, nil, 8*Size(p.Hash))
	defer clear(key)
	return HMAC(p.Hash, key, body, name)
}

// crypt runs cfb over data with the symmetric key of an outer wrap (Part 1,
// "Symmetric Encryption": symKey). It depends on the Name, so that no two
// objects share a key and an IV of zeros is safe where there is no other.
func (p Protection) crypt(cfb func(alg wire.Alg, key, iv, data []byte) error, name, iv, data []byte) error {
	key := KDFa(p.Hash, p.Seed, labelStorage, name, nil, int(p.KeyBits))
	defer clear(key)
	return cfb(p.Sym, key, iv, data)
}
