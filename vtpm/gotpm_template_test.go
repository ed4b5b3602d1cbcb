package vtpm_test

import (
	"testing"

	"github.com/google/go-tpm/tpm2"
)

// Templates of keys.

var (
	storage = tpm2.TPMAObject{
		FixedTPM: true, FixedParent: true, SensitiveDataOrigin: true, UserWithAuth: true, NoDA: true, Restricted: true, Decrypt: true,
	}
	signing = tpm2.TPMAObject{
		FixedTPM: true, FixedParent: true, SensitiveDataOrigin: true, UserWithAuth: true, NoDA: true, SignEncrypt: true,
	}
	attestation = tpm2.TPMAObject{
		FixedTPM: true, FixedParent: true, SensitiveDataOrigin: true, UserWithAuth: true, NoDA: true, Restricted: true, SignEncrypt: true,
	}
	sealed = tpm2.TPMAObject{FixedTPM: true, FixedParent: true, UserWithAuth: true, NoDA: true}
)

// aesCFB returns the symmetric part of a storage key; 0 bits: none.
func aesCFB(bits tpm2.TPMKeyBits) tpm2.TPMTSymDefObject {
	if bits == 0 {
		return tpm2.TPMTSymDefObject{Algorithm: tpm2.TPMAlgNull}
	}
	return tpm2.TPMTSymDefObject{
		Algorithm: tpm2.TPMAlgAES,
		KeyBits:   tpm2.NewTPMUSymKeyBits(tpm2.TPMAlgAES, bits),
		Mode:      tpm2.NewTPMUSymMode(tpm2.TPMAlgAES, tpm2.TPMAlgCFB),
	}
}

// eccTemplate returns a template of an ECC key; with a hash it signs with ECDSA.
func eccTemplate(attributes tpm2.TPMAObject, curve tpm2.TPMECCCurve, nameAlg tpm2.TPMAlgID, aesBits tpm2.TPMKeyBits, hash tpm2.TPMAlgID) tpm2.TPMTPublic {
	scheme := tpm2.TPMTECCScheme{Scheme: tpm2.TPMAlgNull}
	if hash != 0 {
		scheme = tpm2.TPMTECCScheme{
			Scheme:  tpm2.TPMAlgECDSA,
			Details: tpm2.NewTPMUAsymScheme(tpm2.TPMAlgECDSA, &tpm2.TPMSSigSchemeECDSA{HashAlg: hash}),
		}
	}
	return tpm2.TPMTPublic{
		Type: tpm2.TPMAlgECC, NameAlg: nameAlg, ObjectAttributes: attributes,
		Parameters: tpm2.NewTPMUPublicParms(tpm2.TPMAlgECC, &tpm2.TPMSECCParms{
			Symmetric: aesCFB(aesBits), Scheme: scheme, CurveID: curve, KDF: tpm2.TPMTKDFScheme{Scheme: tpm2.TPMAlgNull},
		}),
		Unique: tpm2.NewTPMUPublicID(tpm2.TPMAlgECC, &tpm2.TPMSECCPoint{}),
	}
}

// rsaTemplate returns a template of an RSA key; with a scheme and a hash it signs.
func rsaTemplate(attributes tpm2.TPMAObject, bits tpm2.TPMKeyBits, nameAlg tpm2.TPMAlgID, aesBits tpm2.TPMKeyBits, scheme, hash tpm2.TPMAlgID) tpm2.TPMTPublic {
	s := tpm2.TPMTRSAScheme{Scheme: tpm2.TPMAlgNull}
	switch scheme {
	case tpm2.TPMAlgRSASSA:
		s = tpm2.TPMTRSAScheme{Scheme: scheme, Details: tpm2.NewTPMUAsymScheme(scheme, &tpm2.TPMSSigSchemeRSASSA{HashAlg: hash})}
	case tpm2.TPMAlgRSAPSS:
		s = tpm2.TPMTRSAScheme{Scheme: scheme, Details: tpm2.NewTPMUAsymScheme(scheme, &tpm2.TPMSSigSchemeRSAPSS{HashAlg: hash})}
	}
	return tpm2.TPMTPublic{
		Type: tpm2.TPMAlgRSA, NameAlg: nameAlg, ObjectAttributes: attributes,
		Parameters: tpm2.NewTPMUPublicParms(tpm2.TPMAlgRSA, &tpm2.TPMSRSAParms{Symmetric: aesCFB(aesBits), Scheme: s, KeyBits: bits}),
		Unique:     tpm2.NewTPMUPublicID(tpm2.TPMAlgRSA, &tpm2.TPM2BPublicKeyRSA{}),
	}
}

// sealedTemplate returns a template of a sealed data object with a policy.
func sealedTemplate(policy []byte) tpm2.TPMTPublic {
	attributes := sealed
	attributes.UserWithAuth = policy == nil
	return tpm2.TPMTPublic{
		Type: tpm2.TPMAlgKeyedHash, NameAlg: tpm2.TPMAlgSHA256, ObjectAttributes: attributes,
		AuthPolicy: tpm2.TPM2BDigest{Buffer: policy},
		Parameters: tpm2.NewTPMUPublicParms(tpm2.TPMAlgKeyedHash, &tpm2.TPMSKeyedHashParms{}),
		Unique:     tpm2.NewTPMUPublicID(tpm2.TPMAlgKeyedHash, &tpm2.TPM2BDigest{}),
	}
}

// hmacTemplate returns a template of an HMAC key.
func hmacTemplate(hash tpm2.TPMAlgID) tpm2.TPMTPublic {
	return tpm2.TPMTPublic{
		Type: tpm2.TPMAlgKeyedHash, NameAlg: tpm2.TPMAlgSHA256, ObjectAttributes: signing,
		Parameters: tpm2.NewTPMUPublicParms(tpm2.TPMAlgKeyedHash, &tpm2.TPMSKeyedHashParms{Scheme: tpm2.TPMTKeyedHashScheme{
			Scheme:  tpm2.TPMAlgHMAC,
			Details: tpm2.NewTPMUSchemeKeyedHash(tpm2.TPMAlgHMAC, &tpm2.TPMSSchemeHMAC{HashAlg: hash}),
		}}),
		Unique: tpm2.NewTPMUPublicID(tpm2.TPMAlgKeyedHash, &tpm2.TPM2BDigest{}),
	}
}

// secret returns the sensitive part of an object to be created.
func secret(auth, data string) tpm2.TPM2BSensitiveCreate {
	s := &tpm2.TPMSSensitiveCreate{UserAuth: tpm2.TPM2BAuth{Buffer: []byte(auth)}}
	if data != "" {
		s.Data = tpm2.NewTPMUSensitiveCreate(&tpm2.TPM2BSensitiveData{Buffer: []byte(data)})
	}
	return tpm2.TPM2BSensitiveCreate{Sensitive: s}
}

// key is a loaded object.
type key struct {
	handle tpm2.TPMHandle
	name   tpm2.TPM2BName
	public tpm2.TPMTPublic
}

func (k key) named() tpm2.NamedHandle { return tpm2.NamedHandle{Handle: k.handle, Name: k.name} }

// with returns the key's handle with a session for it.
func (k key) with(s tpm2.Session) tpm2.AuthHandle {
	return tpm2.AuthHandle{Handle: k.handle, Name: k.name, Auth: s}
}

// primary makes a primary key, with an authValue, with a password.
func (b *bench) primary(hierarchy tpm2.TPMHandle, template tpm2.TPMTPublic, auth string) key {
	b.Helper()
	r := must(tpm2.CreatePrimary{PrimaryHandle: hierarchy, InSensitive: secret(auth, ""), InPublic: tpm2.New2B(template)}.Execute(b.TPM))(b)
	return key{r.ObjectHandle, r.Name, contents(b, r.OutPublic)}
}

// load makes an object below the P-256 storage root key and loads it, with
// passwords.
func (b *bench) load(template tpm2.TPMTPublic, auth, data string) key {
	b.Helper()
	parent := b.parent()
	parent.Auth = tpm2.PasswordAuth(nil)
	c := must(tpm2.Create{ParentHandle: parent, InSensitive: secret(auth, data), InPublic: tpm2.New2B(template)}.Execute(b.TPM))(b)
	l := must(tpm2.Load{ParentHandle: parent, InPrivate: c.OutPrivate, InPublic: c.OutPublic}.Execute(b.TPM))(b)
	return key{l.ObjectHandle, l.Name, contents(b, c.OutPublic)}
}

// pcrs returns a selection of PCRs in one bank.
func pcrs(alg tpm2.TPMAlgID, list ...uint) tpm2.TPMLPCRSelection {
	return tpm2.TPMLPCRSelection{PCRSelections: []tpm2.TPMSPCRSelection{{Hash: alg, PCRSelect: tpm2.PCClientCompatible.PCRs(list...)}}}
}

// nullScheme lets the key choose how it signs.
var nullScheme = tpm2.TPMTSigScheme{Scheme: tpm2.TPMAlgNull}

// sigScheme is a signature scheme with a hash.
func sigScheme(scheme, hash tpm2.TPMAlgID) tpm2.TPMTSigScheme {
	if scheme == tpm2.TPMAlgHMAC {
		return tpm2.TPMTSigScheme{Scheme: scheme, Details: tpm2.NewTPMUSigScheme(scheme, &tpm2.TPMSSchemeHMAC{HashAlg: hash})}
	}
	return tpm2.TPMTSigScheme{Scheme: scheme, Details: tpm2.NewTPMUSigScheme(scheme, &tpm2.TPMSSchemeHash{HashAlg: hash})}
}

// wantRC demands that a command ended with a response code of go-tpm's spelling.
func wantRC(t testing.TB, err error, want tpm2.TPMRC) {
	t.Helper()
	if rc, ok := err.(tpm2.TPMRC); !ok || rc != want && rc&^0xF40 != want {
		t.Errorf("%v, want %v", err, want)
	}
}
