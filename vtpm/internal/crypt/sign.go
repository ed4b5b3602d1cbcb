package crypt

import (
	"crypto/ecdsa"
	"crypto/rsa"
	"errors"
	"io"

	"github.com/bootseal/bootseal/vtpm/internal/wire"
)

// Sign signs digest with the key (pub, priv) and the scheme that the caller has
// selected for it (Part 1, "Signing"; Part 3, "TPM2_Sign"). Scheme TPM_ALG_NULL
// gives a null signature and needs no key. ECDAA is SignECDAA's.
//
// rand is the source of salts and nonces. ECDSA on a curve of the standard
// library takes its nonce from the operating system whatever rand is: the library
// does not let a caller choose it.
//
// Errors: TPM_RC_SCHEME for a scheme that is not one of the key's type,
// TPM_RC_VALUE for a digest of another size than the scheme's hash (RSA),
// TPM_RC_SIZE for a key too small for the scheme, TPM_RC_HASH for a keyed hash
// object and no hash algorithm, TPM_RC_BINDING for factors that make no key.
func Sign(rand io.Reader, pub *wire.TPMTPublic, priv *Private, scheme wire.TPMTSigScheme, digest []byte) (wire.TPMTSignature, error) {
	if scheme.Scheme == wire.AlgNull {
		return wire.TPMTSignature{SigAlg: wire.AlgNull}, nil
	}
	sig := wire.TPMTSignature{SigAlg: scheme.Scheme, Hash: scheme.HashAlg}
	err := error(wire.RCScheme)
	switch {
	case priv == nil:
		err = wire.RCKey
	case pub.Type == wire.AlgRSA && (sig.SigAlg == wire.AlgRSASSA || sig.SigAlg == wire.AlgRSAPSS):
		sig.RSA, err = signRSA(rand, priv, sig.SigAlg, sig.Hash, digest)
	case pub.Type == wire.AlgECC:
		sig.R, sig.S, err = signECC(rand, pub, priv, scheme, digest)
	case pub.Type == wire.AlgKeyedHash && sig.SigAlg == wire.AlgHMAC:
		if sig.HMAC, err = HMAC(sig.Hash, priv.sensitive, digest), nil; sig.HMAC == nil {
			err = wire.RCHash
		}
	}
	if err != nil {
		return wire.TPMTSignature{}, err
	}
	return sig, nil
}

func signRSA(rand io.Reader, priv *Private, scheme, hashAlg wire.Alg, digest []byte) ([]byte, error) {
	h := cryptoHash(hashAlg)
	if h == 0 {
		return nil, wire.RCScheme
	}
	if len(digest) != h.Size() {
		return nil, wire.RCValue
	}
	key, err := priv.rsaKey()
	if err != nil {
		return nil, err
	}
	var sig []byte
	if scheme == wire.AlgRSASSA {
		sig, err = rsa.SignPKCS1v15(nil, key, h, digest)
	} else {
		salt := PSSSaltSize(h.Size(), key.Size())
		sig, err = rsa.SignPSS(rand, key, h, digest, &rsa.PSSOptions{SaltLength: salt})
	}
	switch {
	case errors.Is(err, rsa.ErrMessageTooLong):
		return nil, wire.RCSize
	case err != nil:
		// The standard library checks its result with the public key. It is wrong if
		// what was loaded as a prime is none.
		return nil, wire.RCBinding
	}
	return sig, nil
}

// PSSSaltSize returns the bytes of salt in an RSAPSS signature: as many as the
// digest has, FIPS 186-5's maximum, or as many as fit if those are fewer (a
// 1,024-bit key with SHA-512).
func PSSSaltSize(digest, modulus int) int {
	return min(digest, modulus-digest-2)
}

// signECC signs with one of the schemes that need nothing but the key, each of
// which works on every curve. The two numbers have the size of a coordinate.
func signECC(rand io.Reader, pub *wire.TPMTPublic, priv *Private, scheme wire.TPMTSigScheme, digest []byte) (r, s []byte, err error) {
	c := lookup(pub.Parameters.ECC.CurveID)
	if c == nil {
		return nil, nil, wire.RCKey
	}
	if scheme.Scheme == wire.AlgECDSA && priv.ecc != nil {
		x, y, err := ecdsa.Sign(rand, priv.ecc, digest)
		if err != nil {
			return nil, nil, wire.RCNoResult
		}
		return x.FillBytes(make([]byte, c.size)), y.FillBytes(make([]byte, c.size)), nil
	}
	d := c.scalar(priv.sensitive)
	if d == nil {
		return nil, nil, wire.RCKey
	}
	switch scheme.Scheme {
	case wire.AlgECDSA:
		return c.signECDSA(rand, d, digest)
	case wire.AlgECSchnorr:
		return c.signSchnorr(rand, d, scheme.HashAlg, digest)
	case wire.AlgSM2:
		return c.signSM2(rand, d, digest)
	}
	return nil, nil, wire.RCScheme
}
