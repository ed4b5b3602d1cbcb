package crypt

import (
	"crypto/rsa"
	"io"

	"github.com/bootseal/bootseal/vtpm/internal/wire"
)

// RSAEncrypt encrypts message to the key pub (Part 3, "TPM2_RSA_Encrypt") with
// RSAES, OAEP with hashAlg and label, or, for TPM_ALG_NULL, as a bare number. The
// label of OAEP is hashed as it is; the specification wants it empty or ending
// in a zero, which LabelOK checks. The result has the size of the modulus.
//
// Errors: TPM_RC_SCHEME for another scheme, TPM_RC_HASH if the key is too small
// for OAEP with hashAlg, TPM_RC_VALUE for a message that is too long or not
// below the modulus, or an even modulus, TPM_RC_RANGE for an exponent that is
// not supported, TPM_RC_NO_RESULT if rand fails.
func RSAEncrypt(rand io.Reader, pub *wire.TPMTPublic, scheme, hashAlg wire.Alg, label, message []byte) ([]byte, error) {
	key, err := rsaPublic(pub)
	if err != nil {
		return nil, err
	}
	var out []byte
	source := &watched{Reader: rand}
	switch scheme {
	case wire.AlgNull:
		return rawPublic(key, trimZeros(message))
	case wire.AlgRSAES:
		//lint:ignore SA1019 the specification has this scheme, and clients choose it
		out, err = rsa.EncryptPKCS1v15(source, key, message)
	case wire.AlgOAEP:
		h := New(hashAlg)
		if h == nil {
			return nil, wire.RCValue
		}
		if key.Size() < 2*h.Size()+2 {
			return nil, wire.RCHash
		}
		out, err = rsa.EncryptOAEP(h, source, key, message, label)
	default:
		return nil, wire.RCScheme
	}
	switch {
	case source.failed:
		return nil, wire.RCNoResult
	case err != nil:
		return nil, wire.RCValue
	}
	return out, nil
}

// watched notes that its Reader failed, which the error of the standard library's
// function does not tell from others.
type watched struct {
	io.Reader
	failed bool
}

func (w *watched) Read(p []byte) (int, error) {
	n, err := w.Reader.Read(p)
	w.failed = w.failed || err != nil
	return n, err
}

// RSADecrypt undoes RSAEncrypt with the private key (Part 3, "TPM2_RSA_Decrypt").
// For TPM_ALG_NULL the result has the size of the modulus.
//
// Errors: TPM_RC_SIZE if encrypted has not the size of the modulus or is not
// below it, TPM_RC_VALUE if the padding is wrong, TPM_RC_SCHEME, TPM_RC_BINDING.
// What is wrong with the padding is not told, nor does the time tell. That it is
// wrong must be told, and with RSAES that alone is an oracle (Bleichenbacher's):
// the specification leaves it to the key's authorization who may ask.
func RSADecrypt(pub *wire.TPMTPublic, priv *Private, scheme, hashAlg wire.Alg, label, encrypted []byte) ([]byte, error) {
	key, err := priv.rsaKey()
	if err != nil {
		return nil, err
	}
	if len(encrypted) != len(pub.Unique.RSA) || !below(encrypted, pub.Unique.RSA) {
		return nil, wire.RCSize
	}
	var out []byte
	switch scheme {
	case wire.AlgNull:
		return rawPrivate(key, encrypted)
	case wire.AlgRSAES:
		//lint:ignore SA1019 as for RSAEncrypt; the oracle is the command's own answer
		out, err = rsa.DecryptPKCS1v15(nil, key, encrypted)
	case wire.AlgOAEP:
		h := New(hashAlg)
		if h == nil {
			return nil, wire.RCValue
		}
		out, err = rsa.DecryptOAEP(h, nil, key, encrypted, label)
	default:
		return nil, wire.RCScheme
	}
	if err != nil {
		return nil, wire.RCValue
	}
	return out, nil
}

// LabelOK reports whether label may be the label of OAEP: empty, or ending in a
// zero (Part 1, "RSAES_OAEP").
func LabelOK(label []byte) bool {
	return len(label) == 0 || label[len(label)-1] == 0
}

// below reports whether a < b for big-endian numbers of one size. Both are
// public: a ciphertext and a modulus.
func below(a, b []byte) bool { return string(a) < string(b) }

func trimZeros(b []byte) []byte {
	for len(b) > 0 && b[0] == 0 {
		b = b[1:]
	}
	return b
}
