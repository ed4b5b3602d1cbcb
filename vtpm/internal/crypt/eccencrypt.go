package crypt

import (
	"crypto/subtle"
	"io"

	"github.com/bootseal/bootseal/vtpm/internal/wire"
)

// ECCEncrypt encrypts message to the key pub (Part 1, "ECC Encryption and
// Decryption"; Part 3, "TPM2_ECC_Encrypt"): c1 is an ephemeral public key, from
// which with the private one a point follows, c2 the message under a mask that KDF2
// with hashAlg makes of the point, c3 a digest over the point and the message.
//
// Errors: TPM_RC_HASH if hashAlg is no hash algorithm, TPM_RC_CURVE, TPM_RC_KEY
// if the key is not on its curve, TPM_RC_NO_RESULT if rand fails.
func ECCEncrypt(rand io.Reader, pub *wire.TPMTPublic, hashAlg wire.Alg, message []byte) (c1 wire.TPMSECCPoint, c2, c3 []byte, err error) {
	if Size(hashAlg) == 0 {
		return c1, nil, nil, wire.RCHash
	}
	id := pub.Parameters.ECC.CurveID
	d, c1, err := NewKeyPair(rand, id)
	if err != nil {
		return c1, nil, nil, err
	}
	defer clear(d)
	z, err := PointMultiply(id, d, &pub.Unique.ECC)
	if err != nil {
		return c1, nil, nil, wire.RCKey
	}
	defer clearPoint(&z)
	c2 = eccMask(hashAlg, &z, message)
	return c1, c2, Digest(hashAlg, z.X, message, z.Y), nil
}

// ECCDecrypt undoes ECCEncrypt with the private key. Errors: TPM_RC_HASH,
// TPM_RC_CURVE, TPM_RC_ECC_POINT if c1 is not on the key's curve, TPM_RC_VALUE if
// c3 is not the digest of what was decrypted, TPM_RC_KEY without a private key.
func ECCDecrypt(pub *wire.TPMTPublic, priv *Private, hashAlg wire.Alg, c1 *wire.TPMSECCPoint, c2, c3 []byte) ([]byte, error) {
	if priv == nil {
		return nil, wire.RCKey
	}
	if Size(hashAlg) == 0 {
		return nil, wire.RCHash
	}
	z, err := PointMultiply(pub.Parameters.ECC.CurveID, priv.sensitive, c1)
	if err != nil {
		return nil, err
	}
	defer clearPoint(&z)
	message := eccMask(hashAlg, &z, c2)
	if subtle.ConstantTimeCompare(Digest(hashAlg, z.X, message, z.Y), c3) != 1 {
		clear(message)
		return nil, wire.RCValue
	}
	return message, nil
}

// eccMask returns data under the mask of a shared point, or without it.
func eccMask(hashAlg wire.Alg, z *wire.TPMSECCPoint, data []byte) []byte {
	seed := append(append(make([]byte, 0, len(z.X)+len(z.Y)), z.X...), z.Y...)
	defer clear(seed)
	mask := KDF2(hashAlg, seed, len(data))
	subtle.XORBytes(mask, mask, data)
	return mask
}
