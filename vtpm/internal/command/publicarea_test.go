package command

import (
	"os"
	"strings"
	"testing"

	"github.com/bootseal/bootseal/vtpm/internal/engine"
	"github.com/bootseal/bootseal/vtpm/internal/wire"
)

// TestTemplates holds the rules for public areas against the answers of a TPM that
// others wrote: every combination of the attributes that matter, for every type,
// scheme and kind of parent.
func TestTemplates(t *testing.T) {
	golden, err := os.ReadFile("testdata/templates.golden")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(golden)) {
		if strings.HasPrefix(line, "#") {
			continue
		}
		f := strings.Fields(line)
		parent := templateParents[f[0]]
		for i := range len(f[5]) {
			pub := template(t, f[1], f[2], f[3], i)
			err := checkTemplate(parent, pub, map[string]int{"none": 0, "given": 16}[f[4]])
			if err != nil {
				err = err.(wire.RC).Param(2)
			}
			if parent != nil && isDerivationParent(parent) {
				err = checkDerived(parent, pub)
			}
			if have := letter(err); have != f[5][i] {
				t.Errorf("%s: attributes %#x: have %c, want %c", strings.Join(f[:5], " "), uint32(pub.ObjectAttributes), have, f[5][i])
			}
		}
	}
}

// letter is the golden file's letter for an outcome.
func letter(err error) byte {
	switch err {
	case nil:
		return '.'
	case wire.RCAttributes:
		return 'A'
	case wire.RCAttributes.Param(2):
		return 'a'
	case wire.RCScheme.Param(2):
		return 's'
	case wire.RCSymmetric.Param(2):
		return 'y'
	case wire.RCType.Param(2):
		return 't'
	}
	return '?'
}

const templateParent = wire.ObjSensitiveDataOrigin | wire.ObjUserWithAuth | wire.ObjRestricted | wire.ObjDecrypt

var (
	templateAES = wire.TPMTSymDefObject{Algorithm: wire.AlgAES, KeyBits: 128, Mode: wire.AlgCFB}

	templateParents = map[string]*engine.Object{
		"fixed":              storageParent(wire.ObjFixedTPM | wire.ObjFixedParent),
		"movable":            storageParent(0),
		"encrypted":          storageParent(wire.ObjEncryptedDuplication),
		"derivation-fixed":   derivationParent(wire.ObjFixedTPM | wire.ObjFixedParent),
		"derivation-movable": derivationParent(0),
	}
)

func storageParent(a wire.TPMAObject) *engine.Object {
	pub := wire.TPMTPublic{Type: wire.AlgECC, NameAlg: wire.AlgSHA256, ObjectAttributes: templateParent | a}
	pub.Parameters.ECC.Symmetric = templateAES
	return &engine.Object{Public: pub}
}

func derivationParent(a wire.TPMAObject) *engine.Object {
	pub := wire.TPMTPublic{Type: wire.AlgKeyedHash, NameAlg: wire.AlgSHA256, ObjectAttributes: templateParent | a}
	pub.Parameters.KeyedHash.Scheme = wire.TPMTKeyedHashScheme{
		Scheme: wire.AlgXOR, HashAlg: wire.AlgSHA256, KDF: wire.AlgKDF1SP800108,
	}
	return &engine.Object{Public: pub}
}

// template is the i-th template of the type and algorithms.
func template(t *testing.T, typ, sym, scheme string, i int) *wire.TPMTPublic {
	pub := &wire.TPMTPublic{NameAlg: wire.AlgSHA256, ObjectAttributes: wire.ObjUserWithAuth}
	for k, bit := range []wire.TPMAObject{
		wire.ObjFixedTPM, wire.ObjFixedParent, wire.ObjSensitiveDataOrigin, wire.ObjEncryptedDuplication,
		wire.ObjRestricted, wire.ObjDecrypt, wire.ObjSign,
	} {
		if i>>k&1 == 1 {
			pub.ObjectAttributes |= bit
		}
	}
	symmetric := wire.TPMTSymDefObject{Algorithm: wire.AlgNull}
	if sym == "aes" {
		symmetric = templateAES
	}
	alg, kdf := wire.AlgNull, wire.AlgNull
	switch scheme {
	case "rsassa":
		alg = wire.AlgRSASSA
	case "rsapss":
		alg = wire.AlgRSAPSS
	case "rsaes":
		alg = wire.AlgRSAES
	case "oaep":
		alg = wire.AlgOAEP
	case "ecdsa":
		alg = wire.AlgECDSA
	case "ecdh":
		alg = wire.AlgECDH
	case "hmac":
		alg = wire.AlgHMAC
	case "xor-108":
		alg, kdf = wire.AlgXOR, wire.AlgKDF1SP800108
	case "xor-56a":
		alg, kdf = wire.AlgXOR, wire.AlgKDF1SP80056A
	}
	switch typ {
	case "rsa":
		pub.Type = wire.AlgRSA
		pub.Parameters.RSA = wire.TPMSRSAParms{Symmetric: symmetric, Scheme: wire.TPMTRSAScheme{Scheme: alg}, KeyBits: 2048}
	case "ecc":
		pub.Type = wire.AlgECC
		pub.Parameters.ECC = wire.TPMSECCParms{Symmetric: symmetric, Scheme: wire.TPMTECCScheme{Scheme: alg}, KDF: wire.TPMTKDFScheme{Scheme: wire.AlgNull}}
	case "keyedhash":
		pub.Type = wire.AlgKeyedHash
		pub.Parameters.KeyedHash.Scheme = wire.TPMTKeyedHashScheme{Scheme: alg, HashAlg: wire.AlgSHA256, KDF: kdf}
	case "symcipher":
		pub.Type = wire.AlgSymCipher
		pub.Parameters.Sym.Sym = symmetric
	default:
		t.Fatalf("type %q", typ)
	}
	return pub
}
