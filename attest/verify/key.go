package verify

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/subtle"
	"fmt"
	"math/big"

	"github.com/google/go-tpm/tpm2"
)

// minRSABits is the smallest RSA key that is accepted.
const minRSABits = 2048

// key is an attestation key that has been checked.
type key struct {
	public crypto.PublicKey
	scheme tpm2.TPMAlgID
	hash   tpm2.TPMIAlgHash
}

// parseAK checks that a public area has the given Name and is an attestation
// key's, and returns its key.
func parseAK(public, name []byte) (*key, error) {
	pub, err := tpm2.Unmarshal[tpm2.TPMTPublic](public)
	if err != nil {
		return nil, fmt.Errorf("%w: attestation key: %w", ErrMalformed, err)
	}
	if !bytes.Equal(tpm2.Marshal(pub), public) {
		return nil, fmt.Errorf("%w: attestation key: not in canonical form", ErrMalformed)
	}
	have, err := tpm2.ObjectName(pub)
	if err != nil {
		return nil, fmt.Errorf("%w: attestation key: %w", ErrMalformed, err)
	}
	if subtle.ConstantTimeCompare(have.Buffer, name) != 1 {
		return nil, fmt.Errorf("%w: its Name is %x: want %x", ErrAKUnknown, have.Buffer, name)
	}
	if err := checkAttributes(pub.ObjectAttributes); err != nil {
		return nil, err
	}
	return parseScheme(pub)
}

// checkAttributes demands restricted, without which the key would sign whatever
// looks like a quote, and fixedTPM with sensitiveDataOrigin, without which it may
// exist outside the TPM.
func checkAttributes(a tpm2.TPMAObject) error {
	for _, c := range []struct {
		ok   bool
		want string
	}{
		{a.Restricted, "restricted"},
		{a.SignEncrypt, "sign"},
		{!a.Decrypt, "no decrypt"},
		{a.FixedTPM, "fixedTPM"},
		{a.FixedParent, "fixedParent"},
		{a.SensitiveDataOrigin, "sensitiveDataOrigin"},
	} {
		if !c.ok {
			return fmt.Errorf("%w: want %s", ErrAKAttributes, c.want)
		}
	}
	return nil
}

func parseScheme(pub *tpm2.TPMTPublic) (*key, error) {
	switch pub.Type {
	case tpm2.TPMAlgECC:
		return parseECC(pub)
	case tpm2.TPMAlgRSA:
		return parseRSA(pub)
	}
	return nil, fmt.Errorf("%w: key type 0x%04x: want ECC or RSA", ErrAKScheme, uint16(pub.Type))
}

func parseECC(pub *tpm2.TPMTPublic) (*key, error) {
	parms, err := pub.Parameters.ECCDetail()
	if err != nil {
		return nil, fmt.Errorf("%w: attestation key: %w", ErrMalformed, err)
	}
	if parms.Scheme.Scheme != tpm2.TPMAlgECDSA {
		return nil, fmt.Errorf("%w: ECC scheme 0x%04x: want ECDSA", ErrAKScheme, uint16(parms.Scheme.Scheme))
	}
	details, err := parms.Scheme.Details.ECDSA()
	if err != nil {
		return nil, fmt.Errorf("%w: attestation key: %w", ErrMalformed, err)
	}
	point, err := pub.Unique.ECC()
	if err != nil {
		return nil, fmt.Errorf("%w: attestation key: %w", ErrMalformed, err)
	}
	public, err := tpm2.ECDSAPub(parms, point)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrAKScheme, err)
	}
	if _, err := public.ECDH(); err != nil {
		return nil, fmt.Errorf("%w: attestation key: %w", ErrMalformed, err)
	}
	return newKey(public, tpm2.TPMAlgECDSA, details.HashAlg)
}

func parseRSA(pub *tpm2.TPMTPublic) (*key, error) {
	parms, err := pub.Parameters.RSADetail()
	if err != nil {
		return nil, fmt.Errorf("%w: attestation key: %w", ErrMalformed, err)
	}
	var hash tpm2.TPMIAlgHash
	switch parms.Scheme.Scheme {
	case tpm2.TPMAlgRSASSA:
		details, err := parms.Scheme.Details.RSASSA()
		if err != nil {
			return nil, fmt.Errorf("%w: attestation key: %w", ErrMalformed, err)
		}
		hash = details.HashAlg
	case tpm2.TPMAlgRSAPSS:
		details, err := parms.Scheme.Details.RSAPSS()
		if err != nil {
			return nil, fmt.Errorf("%w: attestation key: %w", ErrMalformed, err)
		}
		hash = details.HashAlg
	default:
		return nil, fmt.Errorf("%w: RSA scheme 0x%04x: want RSASSA or RSAPSS", ErrAKScheme, uint16(parms.Scheme.Scheme))
	}
	modulus, err := pub.Unique.RSA()
	if err != nil {
		return nil, fmt.Errorf("%w: attestation key: %w", ErrMalformed, err)
	}
	public, err := tpm2.RSAPub(parms, modulus)
	if err != nil {
		return nil, fmt.Errorf("%w: attestation key: %w", ErrMalformed, err)
	}
	if n := public.N.BitLen(); n < minRSABits {
		return nil, fmt.Errorf("%w: RSA key of %d bits: want %d", ErrAKScheme, n, minRSABits)
	}
	return newKey(public, parms.Scheme.Scheme, hash)
}

func newKey(public crypto.PublicKey, scheme tpm2.TPMAlgID, hash tpm2.TPMIAlgHash) (*key, error) {
	switch hash {
	case tpm2.TPMAlgSHA256, tpm2.TPMAlgSHA384, tpm2.TPMAlgSHA512:
		return &key{public: public, scheme: scheme, hash: hash}, nil
	}
	return nil, fmt.Errorf("%w: hash 0x%04x: want SHA-256, SHA-384 or SHA-512", ErrAKScheme, uint16(hash))
}

// verify checks a TPMT_SIGNATURE over data. Its scheme and hash must be those of
// the key.
func (k *key) verify(data, signature []byte) error {
	sig, err := tpm2.Unmarshal[tpm2.TPMTSignature](signature)
	if err != nil {
		return fmt.Errorf("%w: signature: %w", ErrMalformed, err)
	}
	if !bytes.Equal(tpm2.Marshal(sig), signature) {
		return fmt.Errorf("%w: signature: not in canonical form", ErrMalformed)
	}
	if sig.SigAlg != k.scheme {
		return fmt.Errorf("%w: signature of scheme 0x%04x: want the key's, 0x%04x", ErrAKScheme, uint16(sig.SigAlg), uint16(k.scheme))
	}
	hash, err := k.hash.Hash()
	if err != nil {
		return fmt.Errorf("%w: %w", ErrAKScheme, err)
	}
	h := hash.New()
	h.Write(data)
	digest := h.Sum(nil)
	if public, ok := k.public.(*ecdsa.PublicKey); ok {
		return k.verifyECDSA(public, sig, digest)
	}
	return k.verifyRSA(k.public.(*rsa.PublicKey), sig, hash, digest)
}

func (k *key) verifyECDSA(public *ecdsa.PublicKey, sig *tpm2.TPMTSignature, digest []byte) error {
	s, err := sig.Signature.ECDSA()
	if err != nil {
		return fmt.Errorf("%w: signature: %w", ErrMalformed, err)
	}
	if s.Hash != k.hash {
		return fmt.Errorf("%w: signature with hash 0x%04x: want the key's, 0x%04x", ErrAKScheme, uint16(s.Hash), uint16(k.hash))
	}
	r, t := new(big.Int).SetBytes(s.SignatureR.Buffer), new(big.Int).SetBytes(s.SignatureS.Buffer)
	if !ecdsa.Verify(public, digest, r, t) {
		return ErrSignature
	}
	return nil
}

func (k *key) verifyRSA(public *rsa.PublicKey, sig *tpm2.TPMTSignature, hash crypto.Hash, digest []byte) error {
	parse, check := sig.Signature.RSASSA, func(s []byte) error { return rsa.VerifyPKCS1v15(public, hash, digest, s) }
	if k.scheme == tpm2.TPMAlgRSAPSS {
		parse, check = sig.Signature.RSAPSS, func(s []byte) error { return rsa.VerifyPSS(public, hash, digest, s, nil) }
	}
	s, err := parse()
	if err != nil {
		return fmt.Errorf("%w: signature: %w", ErrMalformed, err)
	}
	if s.Hash != k.hash {
		return fmt.Errorf("%w: signature with hash 0x%04x: want the key's, 0x%04x", ErrAKScheme, uint16(s.Hash), uint16(k.hash))
	}
	if check(s.Sig.Buffer) != nil {
		return ErrSignature
	}
	return nil
}
