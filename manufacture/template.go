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
	unique := k.Algorithm.zeros()
	if k.high() {
		digest, err = PolicyB(hash)
		unique = 0
	}
	if err != nil {
		return tpm2.TPMTPublic{}, err
	}
	t := k.Algorithm.public(attributes, !u.Sign, nil, unique)
	t.AuthPolicy = tpm2.TPM2BDigest{Buffer: digest}
	return t, nil
}

// srkTemplate returns a storage root key's template (TPM v2.0 Provisioning Guidance,
// "SRK Templates"): the endorsement key's of the low range with other attributes and no
// policy. The P-256 key has an empty unique field, as systemd and package seal make it.
func srkTemplate(a Algorithm) tpm2.TPMTPublic {
	unique := a.zeros()
	if a == P256 {
		unique = 0
	}
	return a.public(tpm2.TPMAObject{
		FixedTPM:            true,
		FixedParent:         true,
		SensitiveDataOrigin: true,
		UserWithAuth:        true,
		NoDA:                true,
		Restricted:          true,
		Decrypt:             true,
	}, true, nil, unique)
}

// akTemplate returns an attestation key's template: restricted, and signs SHA-256 digests
// with RSASSA or ECDSA. The size of the unique field's zeros makes another key of it.
func akTemplate(a Algorithm, noDA bool, unique int) tpm2.TPMTPublic {
	scheme := tpm2.TPMAlgRSASSA
	if a.rsaBits() == 0 {
		scheme = tpm2.TPMAlgECDSA
	}
	return a.public(tpm2.TPMAObject{
		FixedTPM:            true,
		FixedParent:         true,
		SensitiveDataOrigin: true,
		UserWithAuth:        true,
		NoDA:                noDA,
		Restricted:          true,
		SignEncrypt:         true,
	}, false, &scheme, unique)
}

// zeros returns the size of a public key's field in bytes: a modulus, or a coordinate.
func (a Algorithm) zeros() int {
	_, coordinate := a.curve()
	return max(a.rsaBits()/8, coordinate)
}

// public returns a public area of the algorithm without a policy: storage with the
// symmetric algorithm that a storage key has, scheme with a signing scheme of SHA-256,
// unique bytes of zeros in the unique field or in each of its coordinates.
func (a Algorithm) public(attributes tpm2.TPMAObject, storage bool, scheme *tpm2.TPMAlgID, unique int) tpm2.TPMTPublic {
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
	zeros := make([]byte, unique)
	if bits := a.rsaBits(); bits != 0 {
		p := &tpm2.TPMSRSAParms{Symmetric: symmetric, KeyBits: tpm2.TPMKeyBits(bits)}
		if scheme != nil {
			p.Scheme = tpm2.TPMTRSAScheme{
				Scheme:  *scheme,
				Details: tpm2.NewTPMUAsymScheme(*scheme, &tpm2.TPMSSigSchemeRSASSA{HashAlg: tpm2.TPMAlgSHA256}),
			}
		}
		t.Type = tpm2.TPMAlgRSA
		t.Parameters = tpm2.NewTPMUPublicParms(t.Type, p)
		t.Unique = tpm2.NewTPMUPublicID(t.Type, &tpm2.TPM2BPublicKeyRSA{Buffer: zeros})
		return t
	}
	curve, _ := a.curve()
	p := &tpm2.TPMSECCParms{Symmetric: symmetric, CurveID: curve}
	if scheme != nil {
		p.Scheme = tpm2.TPMTECCScheme{
			Scheme:  *scheme,
			Details: tpm2.NewTPMUAsymScheme(*scheme, &tpm2.TPMSSigSchemeECDSA{HashAlg: tpm2.TPMAlgSHA256}),
		}
	}
	t.Type = tpm2.TPMAlgECC
	t.Parameters = tpm2.NewTPMUPublicParms(t.Type, p)
	t.Unique = tpm2.NewTPMUPublicID(t.Type, &tpm2.TPMSECCPoint{
		X: tpm2.TPM2BECCParameter{Buffer: zeros},
		Y: tpm2.TPM2BECCParameter{Buffer: zeros},
	})
	return t
}
