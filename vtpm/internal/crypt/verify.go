package crypt

import (
	"crypto/rsa"
	"crypto/subtle"

	"github.com/bootseal/bootseal/vtpm/internal/wire"
)

// Verify checks that sig is a signature of digest by the key pub (Part 3,
// "TPM2_VerifySignature"). Only an HMAC key needs priv. ECDAA signatures are not
// for a TPM to verify: it takes the issuer's credential to do it.
//
// Errors: TPM_RC_SCHEME for a signature scheme that is not one of the key's
// type, TPM_RC_HANDLE for an HMAC key without its private part, TPM_RC_SIGNATURE
// for everything else: of a key or a signature that does not fit, the reason is
// nobody's business.
func Verify(pub *wire.TPMTPublic, priv *Private, digest []byte, sig *wire.TPMTSignature) error {
	var ok bool
	switch pub.Type {
	case wire.AlgRSA:
		if sig.SigAlg != wire.AlgRSASSA && sig.SigAlg != wire.AlgRSAPSS {
			return wire.RCScheme
		}
		ok = verifyRSA(pub, digest, sig)
	case wire.AlgECC:
		if sig.SigAlg != wire.AlgECDSA && sig.SigAlg != wire.AlgECSchnorr && sig.SigAlg != wire.AlgSM2 {
			return wire.RCScheme
		}
		ok = verifyECC(pub, digest, sig)
	case wire.AlgKeyedHash:
		if priv == nil {
			return wire.RCHandle
		}
		if sig.SigAlg != wire.AlgHMAC || Size(sig.Hash) == 0 {
			return wire.RCScheme
		}
		ok = verifyHMAC(pub, priv, digest, sig)
	default:
		return wire.RCScheme
	}
	if !ok {
		return wire.RCSignature
	}
	return nil
}

// verifyRSA accepts an RSAPSS salt of any length, as a TPM does. The encoded
// RSASSA message is compared as a whole, padding and DigestInfo included.
func verifyRSA(pub *wire.TPMTPublic, digest []byte, sig *wire.TPMTSignature) bool {
	h := cryptoHash(sig.Hash)
	key, err := rsaPublic(pub)
	if h == 0 || err != nil || len(digest) != h.Size() {
		return false
	}
	if sig.SigAlg == wire.AlgRSASSA {
		return rsa.VerifyPKCS1v15(key, h, digest, sig.RSA) == nil
	}
	return rsa.VerifyPSS(key, h, digest, sig.RSA, &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthAuto}) == nil
}

func verifyECC(pub *wire.TPMTPublic, digest []byte, sig *wire.TPMTSignature) bool {
	c := lookup(pub.Parameters.ECC.CurveID)
	if c == nil {
		return false
	}
	q := c.uncompressed(&pub.Unique.ECC)
	r, s := c.scalar(sig.R), c.scalar(sig.S)
	if q == nil || !c.onCurve(q) || r == nil || s == nil {
		return false
	}
	switch {
	case sig.SigAlg == wire.AlgECSchnorr:
		return c.verifySchnorr(q, r, s, sig.Hash, digest)
	case sig.SigAlg == wire.AlgSM2:
		return c.verifySM2(q, r, s, digest)
	case c.std != nil:
		return c.verifyStandardECDSA(q, digest, sig)
	}
	return c.verifyECDSA(q, r, s, digest)
}

// verifyHMAC holds the signature against the key's scheme, too: a key that is
// bound to a hash must not vouch for a weaker one.
func verifyHMAC(pub *wire.TPMTPublic, priv *Private, digest []byte, sig *wire.TPMTSignature) bool {
	scheme := &pub.Parameters.KeyedHash.Scheme
	if scheme.Scheme != wire.AlgNull && (scheme.Scheme != sig.SigAlg || scheme.HashAlg != sig.Hash) {
		return false
	}
	want := HMAC(sig.Hash, priv.sensitive, digest)
	return subtle.ConstantTimeCompare(want, sig.HMAC) == 1
}
