package main

import (
	"encoding/binary"
	"fmt"

	"github.com/google/go-tpm/tpm2"
)

// request is a primary object to be made.
type request struct {
	comment   string
	hierarchy tpm2.TPMHandle
	template  tpm2.TPMTPublic
	data      []byte
	cipher    tpm2.TPMAlgID // of a SYMCIPHER key, in place of AES
}

// encoded returns the template as it is sent. The client cannot encode a cipher
// other than AES, whose parameters look the same.
func (r *request) encoded() []byte {
	b := tpm2.Marshal(r.template)
	if r.cipher != 0 {
		const head = 2 + 2 + 4 + 2 // type, nameAlg, attributes, size of the policy
		binary.BigEndian.PutUint16(b[head+len(r.template.AuthPolicy.Buffer):], uint16(r.cipher))
	}
	return b
}

const (
	owner       = tpm2.TPMRHOwner
	endorsement = tpm2.TPMRHEndorsement
	platform    = tpm2.TPMRHPlatform

	p192  = tpm2.TPMECCNistP192
	p224  = tpm2.TPMECCNistP224
	p256  = tpm2.TPMECCNistP256
	p384  = tpm2.TPMECCNistP384
	p521  = tpm2.TPMECCNistP521
	bn256 = tpm2.TPMECCBNP256
	bn638 = tpm2.TPMECCBNP638
	sm2   = tpm2.TPMECCSM2P256

	sha1   = tpm2.TPMAlgSHA1
	sha256 = tpm2.TPMAlgSHA256
	sha384 = tpm2.TPMAlgSHA384
	sha512 = tpm2.TPMAlgSHA512
)

// variety has one object for each way that a derivation can differ.
func variety() []request {
	zeros := func(n int) []byte { return make([]byte, n) }
	return []request{
		{"storage root key, ECC P-256, the TCG template", owner, tpm2.ECCSRKTemplate, nil, 0},
		{"storage root key, RSA 2048, the TCG template", owner, tpm2.RSASRKTemplate, nil, 0},
		{"endorsement key, RSA 2048, the TCG template", endorsement, tpm2.RSAEKTemplate, nil, 0},
		{"endorsement key, ECC P-256, the TCG template", endorsement, tpm2.ECCEKTemplate, nil, 0},

		{"RSA 2048, parent: seedValue stays", owner, rsa(sha256, parent(), 2048, 0, nil), nil, 0},
		{"RSA 2048, parent, platform hierarchy", platform, rsa(sha256, parent(), 2048, 0, nil), nil, 0},
		{"RSA 2048, parent, endorsement hierarchy: the proofs reach seedValue", endorsement, rsa(sha256, parent(), 2048, 0, nil), nil, 0},
		{"RSA 2048, signing: seedValue is dropped", owner, rsa(sha256, signing(), 2048, 0, nil), nil, 0},
		{"RSA 2048, signing, exponent 65537 spelled out", owner, rsa(sha256, signing(), 2048, 65537, nil), nil, 0},
		{"RSA 2048, signing, exponent 65539", owner, rsa(sha256, signing(), 2048, 65539, nil), nil, 0},
		{"RSA 2048, signing, exponent 2^31-1", owner, rsa(sha256, signing(), 2048, 1<<31-1, nil), nil, 0},
		{"RSA 2048, signing, unique of 256 zeros", owner, rsa(sha256, signing(), 2048, 0, zeros(256)), nil, 0},
		{"RSA 1024, signing: the short sieve", owner, rsa(sha256, signing(), 1024, 0, nil), nil, 0},
		{"RSA 3072, parent, SHA-384: the long sieve, four rounds", owner, rsa(sha384, parent(), 3072, 0, nil), nil, 0},

		{"ECC P-256, parent, unique of zeros, noDA", owner, ecc(sha256, noDA(parent()), p256, zeros(32), zeros(32)), nil, 0},
		{"ECC P-256, parent, endorsement hierarchy", endorsement, ecc(sha256, parent(), p256, nil, nil), nil, 0},
		{"ECC P-256, signing, Name with SHA-1", owner, ecc(sha1, signing(), p256, nil, nil), nil, 0},
		{"ECC P-256, signing, data given: it is part of the seeding", owner, ecc(sha256, signing(), p256, nil, nil), []byte("more"), 0},
		{"ECC P-224, signing", owner, ecc(sha256, signing(), p224, nil, nil), nil, 0},
		{"ECC P-384, parent, SHA-384", owner, ecc(sha384, parent(), p384, nil, nil), nil, 0},
		{"ECC P-384, parent, SHA-256, platform hierarchy", platform, ecc(sha256, parent(), p384, nil, nil), nil, 0},
		{"ECC P-521, parent, SHA-512", owner, ecc(sha512, parent(), p521, nil, nil), nil, 0},

		{"HMAC key, endorsement hierarchy", endorsement, keyedHash(sha256, signing(), hmac(sha256), nil), nil, 0},
		{"HMAC key, SHA-384 under a SHA-256 Name", owner, keyedHash(sha256, signing(), hmac(sha384), nil), nil, 0},
		{"HMAC key, SHA-512 under a SHA-1 Name", owner, keyedHash(sha1, signing(), hmac(sha512), nil), nil, 0},
		{"HMAC key, given", owner, keyedHash(sha256, given(signing()), hmac(sha256), nil), []byte("a key that the caller brings"), 0},
		{"obfuscation key, XOR with SHA-1", owner, keyedHash(sha256, decrypting(), xor(sha1), nil), nil, 0},
		{"derivation parent: unique is an HMAC", owner, keyedHash(sha256, parent(), xor(sha256), nil), nil, 0},
		{"sealed data", owner, keyedHash(sha256, given(plain()), none(), nil), []byte("sealed"), 0},
		{"sealed data, another unique", owner, keyedHash(sha256, given(plain()), none(), zeros(32)), []byte("sealed"), 0},

		{"AES 128 key", owner, symCipher(sha256, cipher(), 128, nil), nil, 0},
		{"AES 128 key, given", owner, symCipher(sha256, given(cipher()), 128, nil), []byte("sixteen bytes ok"), 0},
		{"AES 256 key, unique given, SHA-384", owner, symCipher(sha384, cipher(), 256, []byte("unique")), nil, 0},
		{"AES 128, parent: unique is an HMAC", owner, symCipher(sha256, parent(), 128, nil), nil, 0},
	}
}

// repetition has more of the same from other seeds: how many candidates and
// bases the search for primes draws differs from key to key.
func repetition() []request {
	var all []request
	for i := range 8 {
		all = append(all, request{fmt.Sprintf("RSA 2048, other seeds, unique %d", i), owner, rsa(sha256, signing(), 2048, 0, []byte{byte(i)}), nil, 0})
	}
	for i := range 2 {
		all = append(all, request{fmt.Sprintf("RSA 3072, other seeds, unique %d", i), owner, rsa(sha256, signing(), 3072, 0, []byte{byte(i)}), nil, 0})
	}
	return append(all,
		request{"ECC P-256, other seeds, fixed to the TPM", owner, ecc(sha256, fixed(signing()), p256, []byte{1}, nil), nil, 0},
		request{"ECC P-521, other seeds, fixed to the TPM", owner, ecc(sha256, fixed(signing()), p521, []byte{1}, nil), nil, 0},
	)
}

// rarities has curves and ciphers that hardly anybody uses.
func rarities() []request {
	all := []request{
		{"ECC P-224, parent, SHA-384", owner, ecc(sha384, parent(), p224, nil, nil), nil, 0},
	}
	for _, c := range []struct {
		name  string
		curve tpm2.TPMECCCurve
	}{{"P-192", p192}, {"BN P-256", bn256}, {"BN P-638", bn638}, {"SM2 P-256", sm2}} {
		all = append(all,
			request{"ECC " + c.name + ", signing", owner, ecc(sha256, signing(), c.curve, nil, nil), nil, 0},
			request{"ECC " + c.name + ", parent, SHA-512", owner, ecc(sha512, parent(), c.curve, nil, nil), nil, 0},
			request{"ECC " + c.name + ", parent, endorsement hierarchy", endorsement, ecc(sha256, parent(), c.curve, nil, nil), nil, 0})
	}
	for _, bits := range []uint16{128, 256} {
		all = append(all, request{fmt.Sprintf("Camellia %d key", bits), owner, symCipher(sha256, cipher(), bits, nil), nil, tpm2.TPMAlgCamellia})
	}
	for _, bits := range []uint16{128, 192} {
		all = append(all,
			request{fmt.Sprintf("TDES %d key: odd parity", bits), owner, symCipher(sha256, cipher(), bits, nil), nil, tpm2.TPMAlgTDES},
			request{fmt.Sprintf("TDES %d, parent", bits), owner, symCipher(sha256, parent(), bits, nil), nil, tpm2.TPMAlgTDES})
	}
	return all
}

func plain() tpm2.TPMAObject { return tpm2.TPMAObject{SensitiveDataOrigin: true, UserWithAuth: true} }

func signing() tpm2.TPMAObject    { a := plain(); a.SignEncrypt = true; return a }
func decrypting() tpm2.TPMAObject { a := plain(); a.Decrypt = true; return a }
func cipher() tpm2.TPMAObject     { a := signing(); a.Decrypt = true; return a }
func parent() tpm2.TPMAObject     { a := decrypting(); a.Restricted = true; return a }

func given(a tpm2.TPMAObject) tpm2.TPMAObject { a.SensitiveDataOrigin = false; return a }
func noDA(a tpm2.TPMAObject) tpm2.TPMAObject  { a.NoDA = true; return a }
func fixed(a tpm2.TPMAObject) tpm2.TPMAObject { a.FixedTPM, a.FixedParent = true, true; return a }

// template returns a public area for duplicate, unless it is fixed to the TPM.
func template(typ, nameAlg tpm2.TPMAlgID, a tpm2.TPMAObject, parms tpm2.TPMUPublicParms, unique tpm2.TPMUPublicID) tpm2.TPMTPublic {
	p := tpm2.TPMTPublic{Type: typ, NameAlg: nameAlg, ObjectAttributes: a, Parameters: parms, Unique: unique}
	if !a.FixedParent {
		p.AuthPolicy.Buffer = duplicable(nameAlg)
	}
	return p
}

// duplicable is the policy of PolicyCommandCode(TPM2_Duplicate).
func duplicable(alg tpm2.TPMAlgID) []byte {
	hash, err := alg.Hash()
	if err != nil {
		panic(err) // the templates use implemented ones
	}
	h := hash.New()
	b := make([]byte, h.Size())
	b = binary.BigEndian.AppendUint32(b, uint32(tpm2.TPMCCPolicyCommandCode))
	b = binary.BigEndian.AppendUint32(b, uint32(tpm2.TPMCCDuplicate))
	h.Write(b)
	return h.Sum(nil)
}

func aes(bits uint16) tpm2.TPMTSymDefObject {
	return tpm2.TPMTSymDefObject{
		Algorithm: tpm2.TPMAlgAES,
		KeyBits:   tpm2.NewTPMUSymKeyBits(tpm2.TPMAlgAES, tpm2.TPMKeyBits(bits)),
		Mode:      tpm2.NewTPMUSymMode(tpm2.TPMAlgAES, tpm2.TPMAlgCFB),
	}
}

// childCipher is what a parent protects its children with.
func childCipher(a tpm2.TPMAObject) tpm2.TPMTSymDefObject {
	if a.Restricted {
		return aes(128)
	}
	return tpm2.TPMTSymDefObject{Algorithm: tpm2.TPMAlgNull}
}

func rsa(nameAlg tpm2.TPMAlgID, a tpm2.TPMAObject, bits uint16, exponent uint32, unique []byte) tpm2.TPMTPublic {
	return template(tpm2.TPMAlgRSA, nameAlg, a,
		tpm2.NewTPMUPublicParms(tpm2.TPMAlgRSA, &tpm2.TPMSRSAParms{Symmetric: childCipher(a), KeyBits: tpm2.TPMKeyBits(bits), Exponent: exponent}),
		tpm2.NewTPMUPublicID(tpm2.TPMAlgRSA, &tpm2.TPM2BPublicKeyRSA{Buffer: unique}))
}

func ecc(nameAlg tpm2.TPMAlgID, a tpm2.TPMAObject, curve tpm2.TPMECCCurve, x, y []byte) tpm2.TPMTPublic {
	return template(tpm2.TPMAlgECC, nameAlg, a,
		tpm2.NewTPMUPublicParms(tpm2.TPMAlgECC, &tpm2.TPMSECCParms{Symmetric: childCipher(a), CurveID: curve}),
		tpm2.NewTPMUPublicID(tpm2.TPMAlgECC, &tpm2.TPMSECCPoint{X: tpm2.TPM2BECCParameter{Buffer: x}, Y: tpm2.TPM2BECCParameter{Buffer: y}}))
}

func keyedHash(nameAlg tpm2.TPMAlgID, a tpm2.TPMAObject, scheme tpm2.TPMTKeyedHashScheme, unique []byte) tpm2.TPMTPublic {
	return template(tpm2.TPMAlgKeyedHash, nameAlg, a,
		tpm2.NewTPMUPublicParms(tpm2.TPMAlgKeyedHash, &tpm2.TPMSKeyedHashParms{Scheme: scheme}),
		tpm2.NewTPMUPublicID(tpm2.TPMAlgKeyedHash, &tpm2.TPM2BDigest{Buffer: unique}))
}

func symCipher(nameAlg tpm2.TPMAlgID, a tpm2.TPMAObject, bits uint16, unique []byte) tpm2.TPMTPublic {
	return template(tpm2.TPMAlgSymCipher, nameAlg, a,
		tpm2.NewTPMUPublicParms(tpm2.TPMAlgSymCipher, &tpm2.TPMSSymCipherParms{Sym: aes(bits)}),
		tpm2.NewTPMUPublicID(tpm2.TPMAlgSymCipher, &tpm2.TPM2BDigest{Buffer: unique}))
}

func none() tpm2.TPMTKeyedHashScheme { return tpm2.TPMTKeyedHashScheme{Scheme: tpm2.TPMAlgNull} }

func hmac(hash tpm2.TPMAlgID) tpm2.TPMTKeyedHashScheme {
	return tpm2.TPMTKeyedHashScheme{Scheme: tpm2.TPMAlgHMAC,
		Details: tpm2.NewTPMUSchemeKeyedHash(tpm2.TPMAlgHMAC, &tpm2.TPMSSchemeHMAC{HashAlg: hash})}
}

func xor(hash tpm2.TPMAlgID) tpm2.TPMTKeyedHashScheme {
	return tpm2.TPMTKeyedHashScheme{Scheme: tpm2.TPMAlgXOR,
		Details: tpm2.NewTPMUSchemeKeyedHash(tpm2.TPMAlgXOR, &tpm2.TPMSSchemeXOR{HashAlg: hash, KDF: tpm2.TPMAlgKDF1SP800108})}
}
