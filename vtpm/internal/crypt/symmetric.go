package crypt

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/des"
	"crypto/subtle"

	"github.com/bootseal/bootseal/vtpm/internal/wire"
)

// CipherBlockSize returns the bytes in a block of the block cipher alg, which is
// the size of an IV, or 0 if alg is not a block cipher of this package.
func CipherBlockSize(alg wire.Alg) int {
	switch alg {
	case wire.AlgAES:
		return aes.BlockSize
	case wire.AlgCamellia:
		return camelliaBlockSize
	case wire.AlgTDES:
		return des.BlockSize
	}
	return 0
}

// newCipher returns the block cipher alg with key: TPM_RC_SYMMETRIC if there is
// no such cipher, TPM_RC_KEY_SIZE if key does not fit it.
func newCipher(alg wire.Alg, key []byte) (cipher.Block, error) {
	var b cipher.Block
	var err error
	switch alg {
	case wire.AlgAES:
		b, err = aes.NewCipher(key)
	case wire.AlgCamellia:
		b, err = newCamellia(key)
	case wire.AlgTDES:
		b, err = newTDES(key)
	default:
		return nil, wire.RCSymmetric
	}
	if err != nil {
		return nil, wire.RCKeySize
	}
	return b, nil
}

// EncryptCFB encrypts data in place with the block cipher alg in CFB mode, as
// protected storage and parameter encryption do. A nil iv stands for zeros; any
// other must have the block size (TPM_RC_VALUE).
func EncryptCFB(alg wire.Alg, key, iv, data []byte) error {
	_, err := EncryptSym(alg, wire.AlgCFB, key, iv, data)
	return err
}

// DecryptCFB undoes EncryptCFB.
func DecryptCFB(alg wire.Alg, key, iv, data []byte) error {
	_, err := DecryptSym(alg, wire.AlgCFB, key, iv, data)
	return err
}

// EncryptSym encrypts data in place with the block cipher alg in mode: CFB, CTR,
// OFB, CBC or ECB. It returns the IV that continues the stream: feeding it into
// the next call gives the same bytes as one call over both pieces, as long as
// the first is a whole number of blocks (Part 3, "TPM2_EncryptDecrypt2"). ECB
// has none.
//
// A nil iv stands for zeros. Errors: TPM_RC_SYMMETRIC and TPM_RC_KEY_SIZE for
// alg and key, TPM_RC_MODE for mode, TPM_RC_VALUE for an iv that has not the
// block size, TPM_RC_SIZE for data that CBC or ECB cannot divide into blocks.
func EncryptSym(alg, mode wire.Alg, key, iv, data []byte) (ivOut []byte, err error) {
	b, next, err := prepare(alg, mode, key, iv, data)
	if err != nil || len(data) == 0 {
		return next, err
	}
	switch mode {
	case wire.AlgCFB:
		encryptCFB(b, next, data)
	case wire.AlgOFB:
		applyOFB(b, next, data)
	case wire.AlgCTR:
		applyCTR(b, next, data)
	case wire.AlgCBC:
		cipher.NewCBCEncrypter(b, next).CryptBlocks(data, data)
		copy(next, data[len(data)-len(next):])
	case wire.AlgECB:
		for at := 0; at < len(data); at += b.BlockSize() {
			b.Encrypt(data[at:], data[at:])
		}
	}
	return next, nil
}

// DecryptSym undoes EncryptSym and returns the same chained IV as it did.
func DecryptSym(alg, mode wire.Alg, key, iv, data []byte) (ivOut []byte, err error) {
	b, next, err := prepare(alg, mode, key, iv, data)
	if err != nil || len(data) == 0 {
		return next, err
	}
	switch mode {
	case wire.AlgCFB:
		decryptCFB(b, next, data)
	case wire.AlgOFB:
		applyOFB(b, next, data)
	case wire.AlgCTR:
		applyCTR(b, next, data)
	case wire.AlgCBC:
		last := bytes.Clone(data[len(data)-len(next):])
		cipher.NewCBCDecrypter(b, next).CryptBlocks(data, data)
		next = last
	case wire.AlgECB:
		for at := 0; at < len(data); at += b.BlockSize() {
			b.Decrypt(data[at:], data[at:])
		}
	}
	return next, nil
}

// prepare checks the arguments of EncryptSym and DecryptSym and returns the
// cipher and an IV of its own to work on; nil for ECB.
func prepare(alg, mode wire.Alg, key, iv, data []byte) (cipher.Block, []byte, error) {
	b, err := newCipher(alg, key)
	if err != nil {
		return nil, nil, err
	}
	n := b.BlockSize()
	switch mode {
	case wire.AlgCFB, wire.AlgOFB, wire.AlgCTR:
	case wire.AlgCBC, wire.AlgECB:
		if len(data)%n != 0 {
			return nil, nil, wire.RCSize
		}
	default:
		return nil, nil, wire.RCMode
	}
	switch {
	case mode == wire.AlgECB && len(iv) == 0:
		return b, nil, nil
	case mode == wire.AlgECB, iv != nil && len(iv) != n:
		return nil, nil, wire.RCValue
	}
	next := make([]byte, n)
	copy(next, iv)
	return b, next, nil
}

// encryptCFB is full-block cipher feedback (NIST SP 800-38A). The standard
// library has deprecated its own, because CFB without authentication is a poor
// choice for new designs; and neither its CFB nor its OFB gives the IV back.
// Here the mode is prescribed, and what matters is authenticated outside.
//
// On return iv is the last block of ciphertext. After a partial block, which
// cannot be continued, it is that block filled up with zeros.
func encryptCFB(b cipher.Block, iv, data []byte) {
	for len(data) > 0 {
		b.Encrypt(iv, iv)
		n := subtle.XORBytes(data, data, iv)
		clear(iv[copy(iv, data[:n]):])
		data = data[n:]
	}
}

func decryptCFB(b cipher.Block, iv, data []byte) {
	stream := make([]byte, len(iv))
	for len(data) > 0 {
		b.Encrypt(stream, iv)
		n := min(len(iv), len(data))
		clear(iv[copy(iv, data[:n]):])
		subtle.XORBytes(data, data[:n], stream)
		data = data[n:]
	}
	clear(stream)
}

// applyOFB is output feedback (NIST SP 800-38A); iv becomes the last block of
// the key stream.
func applyOFB(b cipher.Block, iv, data []byte) {
	for len(data) > 0 {
		b.Encrypt(iv, iv)
		data = data[subtle.XORBytes(data, data, iv):]
	}
}

// applyCTR is counter mode (NIST SP 800-38A) with the whole IV as a big-endian
// counter; iv becomes the counter of the next block.
func applyCTR(b cipher.Block, iv, data []byte) {
	cipher.NewCTR(b, iv).XORKeyStream(data, data)
	carry := (len(data) + len(iv) - 1) / len(iv)
	for i := len(iv) - 1; i >= 0 && carry > 0; i-- {
		carry += int(iv[i])
		iv[i] = byte(carry)
		carry >>= 8
	}
}

// XORObfuscate combines data in place with a mask of its own length from KDFa
// (Part 1, "XOR Obfuscation"). Twice is the identity. contextU is nonceNewer and
// contextV nonceOlder where a session is behind it. TPM_RC_HASH if a is not a
// hash algorithm.
func XORObfuscate(a wire.Alg, key, contextU, contextV, data []byte) error {
	if Size(a) == 0 {
		return wire.RCHash
	}
	mask := KDFa(a, key, labelXOR, contextU, contextV, 8*len(data))
	subtle.XORBytes(data, data, mask)
	clear(mask)
	return nil
}
