package seal

import (
	"fmt"
	"slices"
	"strings"

	"github.com/bootseal/bootseal/pcr"
	"github.com/google/go-tpm/tpm2"
)

// Template says how a primary storage key of the owner hierarchy is made, where
// a parent is not kept at a persistent handle: the same template gives the same
// key until the TPM is cleared. It is "MAKER-ALG-HASH", in the words of the program
// whose template it is:
//
//	systemd-ecc-sha256   systemd before 255, and later without the SRK
//	systemd-rsa-sha256   the same where the TPM has no ECC
//	clevis-ecc-sha256    clevis, by way of tpm2_createprimary; also with rsa, and with
//	                     sha1, sha384 and sha512
//
// All are P-256 or RSA 2048, with AES-128-CFB, an empty unique field, and no noDA.
// In systemd it is the public area of tpm2_make_primary (systemd v252,
// src/shared/tpm2-util.c), later of tpm2_get_legacy_template; in tpm2-tools 4 and 5 the
// defaults of tpm2_createprimary -G ALG -g HASH (man page, "-a").
type Template string

// systemd's templates. Token fields call them "ecc" and "rsa".
const (
	SystemdECC Template = "systemd-ecc-sha256"
	SystemdRSA Template = "systemd-rsa-sha256"
)

// ClevisTemplate returns the template for the fields "key" and "hash" of a clevis
// token. It fails for keys that nothing can be salted to (keyedhash, symcipher).
func ClevisTemplate(key, hash string) (Template, error) {
	t := Template("clevis-" + key + "-" + hash)
	if _, err := t.public(); err != nil {
		return "", err
	}
	return t, nil
}

// Alg returns "ecc" or "rsa", "" for what is no template.
func (t Template) Alg() string {
	if _, err := t.public(); err != nil {
		return ""
	}
	return strings.Split(string(t), "-")[1]
}

// templateHashes are those that tpm2-tools name.
var templateHashes = []pcr.Bank{pcr.SHA1, pcr.SHA256, pcr.SHA384, pcr.SHA512}

// public returns the template as TPM2_CreatePrimary takes it.
func (t Template) public() (tpm2.TPMTPublic, error) {
	maker, rest, _ := strings.Cut(string(t), "-")
	alg, hash, _ := strings.Cut(rest, "-")
	bank, err := pcr.ParseBank(hash)
	if err != nil || !slices.Contains(templateHashes, bank) || bank.String() != hash ||
		maker != "clevis" && (maker != "systemd" || bank != pcr.SHA256) {
		return tpm2.TPMTPublic{}, fmt.Errorf("%q is no template of a primary key that is known", string(t))
	}
	switch alg {
	case "ecc":
		return storageTemplate(tpm2.TPMAlgECC, tpm2.TPMIAlgHash(bank), false), nil
	case "rsa":
		return storageTemplate(tpm2.TPMAlgRSA, tpm2.TPMIAlgHash(bank), false), nil
	}
	return tpm2.TPMTPublic{}, fmt.Errorf("%q is no template of a primary key that is known: want ecc or rsa", string(t))
}

// srkTemplate is the storage root key's: see [EnsureSRK].
func srkTemplate(alg tpm2.TPMAlgID) tpm2.TPMTPublic {
	return storageTemplate(alg, tpm2.TPMAlgSHA256, true)
}

func storageTemplate(alg tpm2.TPMAlgID, nameAlg tpm2.TPMIAlgHash, noDA bool) tpm2.TPMTPublic {
	pub := tpm2.TPMTPublic{
		Type:    alg,
		NameAlg: nameAlg,
		ObjectAttributes: tpm2.TPMAObject{
			FixedTPM:            true,
			FixedParent:         true,
			SensitiveDataOrigin: true,
			UserWithAuth:        true,
			NoDA:                noDA,
			Restricted:          true,
			Decrypt:             true,
		},
	}
	symmetric := tpm2.TPMTSymDefObject{
		Algorithm: tpm2.TPMAlgAES,
		KeyBits:   tpm2.NewTPMUSymKeyBits(tpm2.TPMAlgAES, tpm2.TPMKeyBits(128)),
		Mode:      tpm2.NewTPMUSymMode(tpm2.TPMAlgAES, tpm2.TPMAlgCFB),
	}
	if alg == tpm2.TPMAlgRSA {
		pub.Parameters = tpm2.NewTPMUPublicParms(alg, &tpm2.TPMSRSAParms{Symmetric: symmetric, KeyBits: 2048})
		pub.Unique = tpm2.NewTPMUPublicID(alg, &tpm2.TPM2BPublicKeyRSA{})
	} else {
		pub.Parameters = tpm2.NewTPMUPublicParms(alg, &tpm2.TPMSECCParms{Symmetric: symmetric, CurveID: tpm2.TPMECCNistP256})
		pub.Unique = tpm2.NewTPMUPublicID(alg, &tpm2.TPMSECCPoint{})
	}
	return pub
}
