package crypt

import (
	"crypto/subtle"
	"io"

	"github.com/bootseal/bootseal/vtpm/internal/wire"
)

// SensitiveToPrivate wraps a sensitive area for storage outside of the TPM (Part
// 1, "Protected Storage"; TPM2B_PRIVATE's contents in Part 2, "_PRIVATE"): p is
// by the parent, name and nameAlg are the object's. The IV comes from rand; a
// source that fails is TPM_RC_NO_RESULT.
func SensitiveToPrivate(rand io.Reader, p Protection, name []byte, nameAlg wire.Alg, sens *wire.TPMTSensitive) ([]byte, error) {
	iv := make([]byte, CipherBlockSize(p.Sym))
	if _, err := io.ReadFull(rand, iv); err != nil {
		return nil, wire.RCNoResult
	}
	area := marshalSensitive(nameAlg, sens)
	defer clear(area)
	return Protect(p, name, iv, area)
}

// PrivateToSensitive undoes SensitiveToPrivate. Errors: those of Unprotect, and
// TPM_RC_SENSITIVE for a private area that is authentic but holds no sensitive
// area that limits allow.
func PrivateToSensitive(p Protection, name, private []byte, limits *wire.Limits) (wire.TPMTSensitive, error) {
	area, err := Unprotect(p, name, true, private)
	if err != nil {
		return wire.TPMTSensitive{}, err
	}
	if len(area) < 2 {
		return wire.TPMTSensitive{}, wire.RCInsufficient
	}
	sens, err := unmarshalSensitive(area, limits)
	if err != nil {
		clear(area)
		return wire.TPMTSensitive{}, wire.RCSensitive
	}
	return sens, nil
}

// InnerWrap is the caller's part of the protection of a duplicate (Part 1,
// "Inner Duplication Wrapper"): a symmetric key of KeyBits bits. The zero value
// is no inner wrap.
type InnerWrap struct {
	Sym     wire.Alg // TPM_ALG_NULL or zero: none
	KeyBits uint16
	Key     []byte
}

func (w InnerWrap) none() bool { return w.Sym == 0 || w.Sym == wire.AlgNull }

// wrap returns area, preceded by its digest and the Name's, encrypted. A key of
// another size than KeyBits is TPM_RC_SIZE; the cipher itself would take any.
func (w InnerWrap) wrap(nameAlg wire.Alg, name, area []byte) ([]byte, error) {
	if 8*len(w.Key) != int(w.KeyBits) {
		return nil, wire.RCSize
	}
	out := writer(2 + Size(nameAlg) + len(area))
	out.Sized(Digest(nameAlg, area, name))
	out.Bytes(area)
	if err := EncryptCFB(w.Sym, w.Key, nil, out.Data()); err != nil {
		clear(out.Data())
		return nil, err
	}
	return out.Data(), nil
}

// unwrap undoes wrap in place and returns the part of wrapped that is the area.
func (w InnerWrap) unwrap(nameAlg wire.Alg, name, wrapped []byte) ([]byte, error) {
	if 8*len(w.Key) != int(w.KeyBits) {
		return nil, wire.RCSize
	}
	if err := DecryptCFB(w.Sym, w.Key, nil, wrapped); err != nil {
		return nil, err
	}
	r := wire.NewReader(wrapped, &wire.Limits{})
	integrity := r.Sized(wire.MaxDigest)
	if err := r.Err(); err != nil {
		return nil, err
	}
	if subtle.ConstantTimeCompare(integrity, Digest(nameAlg, r.Rest(), name)) != 1 {
		return nil, wire.RCIntegrity
	}
	return r.Rest(), nil
}

// SensitiveToDuplicate wraps a sensitive area for another parent (Part 1,
// "Duplication"): the inner wrap first, if there is one, then the outer wrap, if
// p has a seed. name and nameAlg are the object's. With neither the result is
// the sensitive area in the clear.
func SensitiveToDuplicate(p Protection, inner InnerWrap, name []byte, nameAlg wire.Alg, sens *wire.TPMTSensitive) ([]byte, error) {
	area := marshalSensitive(nameAlg, sens)
	if !inner.none() {
		plain := area
		defer clear(plain)
		var err error
		if area, err = inner.wrap(nameAlg, name, plain); err != nil {
			return nil, err
		}
	}
	if len(p.Seed) == 0 {
		return area, nil
	}
	defer clear(area)
	return Protect(p, name, nil, area)
}

// DuplicateToSensitive undoes SensitiveToDuplicate. Errors: those of Unprotect;
// TPM_RC_INTEGRITY if the inner wrap is not intact, TPM_RC_SIZE if bytes are
// missing or left over, and what reading the sensitive area fails with.
func DuplicateToSensitive(p Protection, inner InnerWrap, name []byte, nameAlg wire.Alg, duplicate []byte, limits *wire.Limits) (wire.TPMTSensitive, error) {
	area := append([]byte{}, duplicate...)
	var err error
	if len(p.Seed) != 0 {
		if area, err = Unprotect(p, name, false, duplicate); err != nil {
			return wire.TPMTSensitive{}, err
		}
	}
	plain := area
	if !inner.none() {
		plain, err = inner.unwrap(nameAlg, name, area)
	}
	var sens wire.TPMTSensitive
	if err == nil {
		sens, err = unmarshalSensitive(plain, limits)
	}
	if err != nil {
		clear(area)
		return wire.TPMTSensitive{}, err
	}
	return sens, nil
}

// SecretToCredential wraps secret for TPM2_ActivateCredential (Part 1,
// "Credential Protection"): p is by the key that decrypts it with the seed from
// EncryptSecret, name is that of the object that the credential is about.
func SecretToCredential(p Protection, name, secret []byte) ([]byte, error) {
	w := writer(2 + len(secret))
	w.Sized(secret)
	defer clear(w.Data())
	return Protect(p, name, nil, w.Data())
}

// CredentialToSecret undoes SecretToCredential. Errors: those of Unprotect;
// TPM_RC_SIZE and TPM_RC_INSUFFICIENT if what was wrapped is no TPM2B_DIGEST.
func CredentialToSecret(p Protection, name, credential []byte) ([]byte, error) {
	data, err := Unprotect(p, name, false, credential)
	if err != nil {
		return nil, err
	}
	r := wire.NewReader(data, &wire.Limits{})
	secret := r.Sized(wire.MaxDigest)
	if r.OK() && r.Len() != 0 {
		r.Fail(wire.RCSize)
	}
	if err := r.Err(); err != nil {
		clear(data)
		return nil, err
	}
	return secret, nil
}

// marshalSensitive returns the TPM2B_SENSITIVE of sens, with its authValue
// filled up with zeros to the size of a nameAlg digest: the length of a
// password is not for those to see who see the blob.
func marshalSensitive(nameAlg wire.Alg, sens *wire.TPMTSensitive) []byte {
	padded := *sens
	if n := Size(nameAlg); len(sens.AuthValue) < n {
		padded.AuthValue = make([]byte, n)
		copy(padded.AuthValue, sens.AuthValue)
		defer clear(padded.AuthValue)
	}
	w := writer(10 + len(padded.AuthValue) + len(padded.SeedValue) + len(padded.Sensitive))
	w.Inner(func() { padded.Write(w) })
	return w.Data()
}

// unmarshalSensitive reads a TPM2B_SENSITIVE that fills area; the result is part
// of it.
func unmarshalSensitive(area []byte, limits *wire.Limits) (wire.TPMTSensitive, error) {
	var sens wire.TPMTSensitive
	r := wire.NewReader(area, limits)
	if n := int(r.U16()); r.OK() && n != r.Len() {
		r.Fail(wire.RCSize)
	}
	if r.OK() {
		sens.Read(r)
	}
	if r.OK() && r.Len() != 0 {
		r.Fail(wire.RCSize)
	}
	return sens, r.Err()
}
