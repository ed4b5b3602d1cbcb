package crypt

import (
	"io"

	"github.com/bootseal/bootseal/vtpm/internal/wire"
)

// EncryptSecret makes a secret for the holder of the decryption key pub, and
// returns it together with the TPM2B_ENCRYPTED_SECRET that carries it (Part 1,
// "Secret Sharing"). label says for what: "SECRET", "IDENTITY", "DUPLICATE". The
// secret has the size of a digest of the key's nameAlg.
//
// An RSA key gets a random secret under OAEP. For an ECC key the secret is
// derived from ECDH with an ephemeral key, whose public point is sent.
//
// Errors: TPM_RC_ATTRIBUTES if pub is no decryption key, TPM_RC_KEY if it is no
// asymmetric key or its point is not on the curve, TPM_RC_VALUE and TPM_RC_HASH
// if OAEP does not work with its nameAlg.
func EncryptSecret(rand io.Reader, pub *wire.TPMTPublic, label string) (seed, encrypted []byte, err error) {
	if !pub.ObjectAttributes.Has(wire.ObjDecrypt) {
		return nil, nil, wire.RCAttributes
	}
	size := Size(pub.NameAlg)
	if size == 0 {
		return nil, nil, wire.RCValue
	}
	switch pub.Type {
	case wire.AlgRSA:
		seed = make([]byte, size)
		if _, err := io.ReadFull(rand, seed); err != nil {
			return nil, nil, wire.RCNoResult
		}
		encrypted, err = RSAEncrypt(rand, pub, wire.AlgOAEP, pub.NameAlg, terminated(label), seed)
	case wire.AlgECC:
		seed, encrypted, err = encryptSecretECC(rand, pub, label)
	default:
		err = wire.RCKey
	}
	if err != nil {
		clear(seed)
		return nil, nil, err
	}
	return seed, encrypted, nil
}

func encryptSecretECC(rand io.Reader, pub *wire.TPMTPublic, label string) (seed, encrypted []byte, err error) {
	id, q := pub.Parameters.ECC.CurveID, &pub.Unique.ECC
	if !OnCurve(id, q) {
		return nil, nil, wire.RCKey
	}
	d, ephemeral, err := NewKeyPair(rand, id)
	if err != nil {
		return nil, nil, err
	}
	defer clear(d)
	z, err := PointMultiply(id, d, q)
	if err != nil {
		return nil, nil, wire.RCKey
	}
	defer clearPoint(&z)
	seed = KDFe(pub.NameAlg, z.X, label, ephemeral.X, q.X, 8*Size(pub.NameAlg))
	return seed, wire.Marshal(ephemeral), nil
}

// DecryptSecret recovers the secret that EncryptSecret made for the key (pub,
// priv) under the same label.
//
// Errors: TPM_RC_SCHEME if an RSA key's scheme is neither TPM_ALG_NULL nor OAEP,
// TPM_RC_SIZE if encrypted has not the size of its modulus, TPM_RC_VALUE if the
// padding is wrong or the secret too long; TPM_RC_SIZE and TPM_RC_INSUFFICIENT
// if encrypted is no point, TPM_RC_ECC_POINT if it is not on the key's curve;
// TPM_RC_KEY for a key that is not asymmetric.
func DecryptSecret(pub *wire.TPMTPublic, priv *Private, label string, encrypted []byte) ([]byte, error) {
	if priv == nil {
		return nil, wire.RCKey
	}
	switch pub.Type {
	case wire.AlgRSA:
		return decryptSecretRSA(pub, priv, label, encrypted)
	case wire.AlgECC:
		return decryptSecretECC(pub, priv, label, encrypted)
	default:
		return nil, wire.RCKey
	}
}

func decryptSecretRSA(pub *wire.TPMTPublic, priv *Private, label string, encrypted []byte) ([]byte, error) {
	hashAlg := pub.NameAlg
	switch scheme := &pub.Parameters.RSA.Scheme; scheme.Scheme {
	case wire.AlgNull:
	case wire.AlgOAEP:
		hashAlg = scheme.HashAlg
	default:
		return nil, wire.RCScheme
	}
	limit := Size(hashAlg)
	if limit == 0 {
		return nil, wire.RCScheme
	}
	seed, err := RSADecrypt(pub, priv, wire.AlgOAEP, hashAlg, terminated(label), encrypted)
	if err != nil {
		return nil, err
	}
	if len(seed) > limit {
		clear(seed)
		return nil, wire.RCValue
	}
	return seed, nil
}

// decryptSecretECC hashes the sender's x coordinate as it was sent. Bytes after
// the point are ignored, as in the reference implementation.
func decryptSecretECC(pub *wire.TPMTPublic, priv *Private, label string, encrypted []byte) ([]byte, error) {
	var sender wire.TPMSECCPoint
	r := wire.NewReader(encrypted, &wire.Limits{Curves: []wire.ECCCurve{wire.CurveBNP638}}) // the largest
	sender.Read(r)
	if err := r.Err(); err != nil {
		return nil, err
	}
	z, err := PointMultiply(pub.Parameters.ECC.CurveID, priv.sensitive, &sender)
	if err != nil {
		return nil, err
	}
	defer clearPoint(&z)
	return KDFe(pub.NameAlg, z.X, label, sender.X, pub.Unique.ECC.X, 8*Size(pub.NameAlg)), nil
}

// DecryptSalt recovers a session's salt that was encrypted to a symmetric key,
// which only TPM2_StartAuthSession does (Part 1, "Secret Sharing": "Symmetric
// Encryption of a Seed"): by XOR obfuscation with a keyed hash object, or in CFB
// mode with a symmetric cipher key and nonceCaller as the IV, cut or filled up
// with zeros.
//
// Errors: TPM_RC_VALUE if the salt is longer than a digest of nameAlg,
// TPM_RC_KEY for a key of another type.
func DecryptSalt(pub *wire.TPMTPublic, priv *Private, nonceCaller, encrypted []byte) ([]byte, error) {
	if priv == nil {
		return nil, wire.RCKey
	}
	if len(encrypted) > Size(pub.NameAlg) {
		return nil, wire.RCValue
	}
	salt := append([]byte{}, encrypted...)
	var err error
	switch pub.Type {
	case wire.AlgKeyedHash:
		err = XORObfuscate(pub.NameAlg, priv.sensitive, nonceCaller, nil, salt)
	case wire.AlgSymCipher:
		alg := pub.Parameters.Sym.Sym.Algorithm
		iv := make([]byte, CipherBlockSize(alg))
		copy(iv, nonceCaller)
		err = DecryptCFB(alg, priv.sensitive, iv, salt)
	default:
		err = wire.RCKey
	}
	if err != nil {
		return nil, err
	}
	return salt, nil
}
