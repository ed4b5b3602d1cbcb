package manufacture

import "github.com/google/go-tpm/tpm2"

// Use says what an endorsement key does. The zero value is a decryption key, which is what
// everybody expects; a key that signs is not restricted.
type Use struct {
	Sign    bool
	Decrypt bool // with Sign: it decrypts, too
}

func (u Use) decrypts() bool { return u.Decrypt || !u.Sign }

// template returns the endorsement key's template (EK Credential Profile, "EK Templates"):
// L-1 and L-2 in the low range, H-1 to H-7 in the high range.
func (k EK) template(u Use) (tpm2.TPMTPublic, error) {
	hash, _ := k.Algorithm.strength()
	attributes := tpm2.TPMAObject{
		FixedTPM:            true,
		FixedParent:         true,
		SensitiveDataOrigin: true,
		UserWithAuth:        k.high(),
		AdminWithPolicy:     true,
		Restricted:          !u.Sign,
		Decrypt:             u.decrypts(),
		SignEncrypt:         u.Sign,
	}
	digest, err := PolicyA(hash)
	id := k.Algorithm.zeros()
	if k.high() {
		digest, err = PolicyB(hash)
		id = unique{}
	}
	if err != nil {
		return tpm2.TPMTPublic{}, err
	}
	t := k.Algorithm.public(attributes, !u.Sign, nil, id)
	t.AuthPolicy = tpm2.TPM2BDigest{Buffer: digest}
	return t, nil
}

// srkTemplate returns a storage root key's template (TPM v2.0 Provisioning Guidance,
// "SRK Templates"): the endorsement key's of the low range with other attributes and no
// policy. The P-256 key has an empty unique field, as systemd and package seal make it.
func srkTemplate(a Algorithm) tpm2.TPMTPublic {
	id := a.zeros()
	if a == P256 {
		id = unique{}
	}
	return a.public(tpm2.TPMAObject{
		FixedTPM:            true,
		FixedParent:         true,
		SensitiveDataOrigin: true,
		UserWithAuth:        true,
		NoDA:                true,
		Restricted:          true,
		Decrypt:             true,
	}, true, nil, id)
}

// akTemplate returns an attestation key's template: restricted, and signs SHA-256 digests
// with RSASSA or ECDSA.
func akTemplate(a Algorithm, noDA bool, id unique) tpm2.TPMTPublic {
	scheme := &signing{tpm2.TPMAlgRSASSA, tpm2.TPMAlgSHA256}
	if a.rsaBits() == 0 {
		scheme.algorithm = tpm2.TPMAlgECDSA
	}
	return a.public(tpm2.TPMAObject{
		FixedTPM:            true,
		FixedParent:         true,
		SensitiveDataOrigin: true,
		UserWithAuth:        true,
		NoDA:                noDA,
		Restricted:          true,
		SignEncrypt:         true,
	}, false, scheme, id)
}

// unique is what a template has in the unique field, which makes another key of it: a
// modulus in x, or the coordinates of a point.
type unique struct{ x, y []byte }

// zeros returns a unique field of the size of the public key, zeros throughout.
func (a Algorithm) zeros() unique {
	_, coordinate := a.curve()
	return unique{make([]byte, max(a.rsaBits()/8, coordinate)), make([]byte, coordinate)}
}

// signing is a signing scheme.
type signing struct{ algorithm, hash tpm2.TPMAlgID }

// details returns the scheme's union.
func (s signing) details() tpm2.TPMUAsymScheme {
	switch s.algorithm {
	case tpm2.TPMAlgRSASSA:
		return tpm2.NewTPMUAsymScheme(s.algorithm, &tpm2.TPMSSigSchemeRSASSA{HashAlg: s.hash})
	case tpm2.TPMAlgRSAPSS:
		return tpm2.NewTPMUAsymScheme(s.algorithm, &tpm2.TPMSSigSchemeRSAPSS{HashAlg: s.hash})
	}
	return tpm2.NewTPMUAsymScheme(s.algorithm, &tpm2.TPMSSigSchemeECDSA{HashAlg: s.hash})
}

// public returns a public area of the algorithm without a policy: storage with the
// symmetric algorithm that a storage key has, scheme with a signing scheme if it is not nil.
func (a Algorithm) public(attributes tpm2.TPMAObject, storage bool, scheme *signing, id unique) tpm2.TPMTPublic {
	hash, aesBits := a.strength()
	symmetric := tpm2.TPMTSymDefObject{Algorithm: tpm2.TPMAlgNull}
	if storage {
		symmetric = tpm2.TPMTSymDefObject{
			Algorithm: tpm2.TPMAlgAES,
			KeyBits:   tpm2.NewTPMUSymKeyBits(tpm2.TPMAlgAES, tpm2.TPMKeyBits(aesBits)),
			Mode:      tpm2.NewTPMUSymMode(tpm2.TPMAlgAES, tpm2.TPMAlgCFB),
		}
	}
	t := tpm2.TPMTPublic{NameAlg: hash, ObjectAttributes: attributes}
	if bits := a.rsaBits(); bits != 0 {
		p := &tpm2.TPMSRSAParms{Symmetric: symmetric, KeyBits: tpm2.TPMKeyBits(bits)}
		if scheme != nil {
			p.Scheme = tpm2.TPMTRSAScheme{Scheme: scheme.algorithm, Details: scheme.details()}
		}
		t.Type = tpm2.TPMAlgRSA
		t.Parameters = tpm2.NewTPMUPublicParms(t.Type, p)
		t.Unique = tpm2.NewTPMUPublicID(t.Type, &tpm2.TPM2BPublicKeyRSA{Buffer: id.x})
		return t
	}
	curve, _ := a.curve()
	p := &tpm2.TPMSECCParms{Symmetric: symmetric, CurveID: curve}
	if scheme != nil {
		p.Scheme = tpm2.TPMTECCScheme{Scheme: scheme.algorithm, Details: scheme.details()}
	}
	t.Type = tpm2.TPMAlgECC
	t.Parameters = tpm2.NewTPMUPublicParms(t.Type, p)
	t.Unique = tpm2.NewTPMUPublicID(t.Type, &tpm2.TPMSECCPoint{
		X: tpm2.TPM2BECCParameter{Buffer: id.x},
		Y: tpm2.TPM2BECCParameter{Buffer: id.y},
	})
	return t
}
