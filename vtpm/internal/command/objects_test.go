package command_test

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-tpm/tpm2"

	"github.com/bootseal/bootseal/vtpm/internal/crypt"
	"github.com/bootseal/bootseal/vtpm/internal/wire"
)

// run runs the lines of a vector that needs what no vector can compute.
func (v *vector) run(format string, args ...any) {
	v.t.Helper()
	for line := range strings.Lines(fmt.Sprintf(format, args...)) {
		v.where = strings.TrimSpace(line)
		v.runLine(v.where)
	}
}

// sized binds a variable to a TPM2B of b.
func (v *vector) sized(name string, b []byte) {
	var w wire.Writer
	w.Sized(b)
	v.vars[name] = w.Data()
}

// storageKeys are templates of keys that protect others, by what they are made with.
var storageKeys = map[string]string{
	"RSA-2048":      "(TPM_ALG_RSA TPM_ALG_SHA256 u32:0x00030472 () TPM_ALG_AES u16:128 TPM_ALG_CFB TPM_ALG_NULL u16:2048 u32:0 ())",
	"P-256":         "(TPM_ALG_ECC TPM_ALG_SHA256 u32:0x00030472 () TPM_ALG_AES u16:128 TPM_ALG_CFB TPM_ALG_NULL TPM_ECC_NIST_P256 TPM_ALG_NULL () ())",
	"P-384 SHA-384": "(TPM_ALG_ECC TPM_ALG_SHA384 u32:0x00030472 () TPM_ALG_AES u16:256 TPM_ALG_CFB TPM_ALG_NULL TPM_ECC_NIST_P384 TPM_ALG_NULL () ())",
	"P-521 SHA-512": "(TPM_ALG_ECC TPM_ALG_SHA512 u32:0x00030472 () TPM_ALG_AES u16:256 TPM_ALG_CFB TPM_ALG_NULL TPM_ECC_NIST_P521 TPM_ALG_NULL () ())",
}

// eachStorageKey runs test with $key, a storage key, and its public half as a client
// has it.
func eachStorageKey(t *testing.T, test func(v *vector, key tpm2.LabeledEncapsulationKey)) {
	for name, template := range storageKeys {
		t.Run(name, func(t *testing.T) {
			v := newVector(t)
			v.run("TPM2_CreatePrimary TPM_RH_ENDORSEMENT ; pw : (()()) %s () u32:0", template)
			v.run("> handle:$key $area:b")
			area, err := tpm2.Unmarshal[tpm2.TPMTPublic](v.vars["$area"])
			if err != nil {
				t.Fatal(err)
			}
			key, err := tpm2.ImportEncapsulationKey(area)
			if err != nil {
				t.Fatal(err)
			}
			test(v, key)
		})
	}
}

// TestClientCredential: a credential that a client made without a TPM is activated.
func TestClientCredential(t *testing.T) {
	eachStorageKey(t, func(v *vector, key tpm2.LabeledEncapsulationKey) {
		v.vars["$ek"] = v.vars["$key"]
		v.run("use ecc-signing\nTPM2_ReadPublic $key\n> $public:2b $name:b")
		blob, secret, err := tpm2.CreateCredential(rand.Reader, key, v.vars["$name"], []byte("credential"))
		if err != nil {
			v.fatalf("%v", err)
		}
		v.sized("$blob", blob)
		v.sized("$secret", secret)
		v.run("TPM2_ActivateCredential $key $ek ; pw ; pw : $blob $secret\n> (\"credential\") .")
	})
}

// sealedArea returns the public and the sensitive area of sealed data, made by a
// client.
func sealedArea(data string) (wire.TPMTPublic, wire.TPMTSensitive) {
	sens := wire.TPMTSensitive{
		SensitiveType: wire.AlgKeyedHash,
		AuthValue:     []byte("pass"),
		SeedValue:     []byte(strings.Repeat("seed", 8)),
		Sensitive:     []byte(data),
	}
	pub := wire.TPMTPublic{Type: wire.AlgKeyedHash, NameAlg: wire.AlgSHA256, ObjectAttributes: wire.ObjUserWithAuth}
	pub.Parameters.KeyedHash.Scheme.Scheme = wire.AlgNull
	pub.Unique.KeyedHash = crypt.Digest(wire.AlgSHA256, sens.SeedValue, sens.Sensitive)
	return pub, sens
}

// TestClientDuplicate: an object that a client wrapped for a parent without a TPM is
// imported, loaded and used.
func TestClientDuplicate(t *testing.T) {
	eachStorageKey(t, func(v *vector, key tpm2.LabeledEncapsulationKey) {
		pub, sens := sealedArea("secret")
		duplicate, secret, err := tpm2.CreateDuplicate(rand.Reader, key, crypt.ObjectName(&pub), wire.Marshal(sens))
		if err != nil {
			v.fatalf("%v", err)
		}
		v.vars["$public"] = wire.Marshal(wire.TPM2BPublic{PublicArea: pub})
		v.sized("$duplicate", duplicate)
		v.sized("$secret", secret)
		v.run("TPM2_Import $key ; pw : () $public $duplicate $secret TPM_ALG_NULL\n> $private:2b .")
		v.run("TPM2_Load $key ; pw : $private $public\n> handle:$sealed")
		v.run("TPM2_Unseal $sealed ; pw(\"pass\")\n> (\"secret\") .")
	})
}

// knownSeed is the seedValue of the parent of TestLoadForged.
var knownSeed = []byte(strings.Repeat("known seed value", 2))

// TestLoadForged: who knows a parent's seedValue, as the owner of a parent that can
// leave its TPM does, can make children with any contents. They are checked.
func TestLoadForged(t *testing.T) {
	v := newVector(t)
	v.sized("$seed", knownSeed)
	const area = "(TPM_ALG_ECC TPM_ALG_SHA256 u32:0x00030040 () TPM_ALG_AES u16:128 TPM_ALG_CFB TPM_ALG_NULL TPM_ECC_NIST_P256 TPM_ALG_NULL " +
		"(6b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296) (4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5))"
	v.run("use ecc-srk")
	v.run("TPM2_Import $srk ; pw : () %s ((TPM_ALG_ECC () $seed (zeros:31 01))) () TPM_ALG_NULL", area)
	v.run("> $private:2b\nTPM2_Load $srk ; pw : $private %s", area)
	v.run("> handle:$parent")

	pub, sens := sealedArea("secret")
	good := sensitive2B(sens)
	with := func(change func(*wire.TPMTSensitive)) []byte {
		s := sens
		change(&s)
		return sensitive2B(s)
	}
	other := pub
	other.ObjectAttributes |= wire.ObjFixedTPM | wire.ObjFixedParent
	for _, test := range []struct {
		reason string
		pub    wire.TPMTPublic
		area   []byte
		iv     int
		want   string
	}{
		{"nothing is wrong", pub, good, 16, "TPM_RC_SUCCESS"},
		{"no sensitive area", pub, []byte{0}, 16, "TPM_RC_INSUFFICIENT parameter 1"},
		{"longer than it says", pub, append(good[:len(good):len(good)], 0), 16, "TPM_RC_SENSITIVE"},
		{"the sensitive area ends too early", pub, []byte{0, 2, 0, 8}, 16, "TPM_RC_SENSITIVE"},
		{"no type of a sensitive area", pub, with(func(s *wire.TPMTSensitive) { s.SensitiveType = wire.AlgNull }), 16, "TPM_RC_SENSITIVE"},
		{"another type", pub, with(func(s *wire.TPMTSensitive) { s.SensitiveType = wire.AlgECC; s.Sensitive = make([]byte, 32) }), 16, "TPM_RC_TYPE parameter 1"},
		{"another secret", pub, with(func(s *wire.TPMTSensitive) { s.Sensitive = []byte("public") }), 16, "TPM_RC_BINDING"},
		{"an authValue over a digest", pub, with(func(s *wire.TPMTSensitive) { s.AuthValue = make([]byte, 33) }), 16, "TPM_RC_SIZE parameter 1"},
		{"a seedValue over a digest", pub, with(func(s *wire.TPMTSensitive) { s.SeedValue = make([]byte, 33) }), 16, "TPM_RC_KEY_SIZE parameter 1"},
		{"a seedValue under a digest", pub, with(func(s *wire.TPMTSensitive) { s.SeedValue = make([]byte, 31) }), 16, "TPM_RC_KEY_SIZE parameter 1"},
		{"an IV that is no block", pub, good, 15, "TPM_RC_VALUE parameter 1"},
		{"attributes of an object that never left its TPM", other, good, 16, "TPM_RC_ATTRIBUTES parameter 2"},
	} {
		v.vars["$public"] = wire.Marshal(wire.TPM2BPublic{PublicArea: test.pub})
		v.sized("$private", forge(t, &test.pub, test.iv, test.area))
		v.run("TPM2_Load $parent ; pw : $private $public")
		v.where = test.reason
		v.compare(test.want)
	}
}

// sensitive2B returns the TPM2B_SENSITIVE of s as it is.
func sensitive2B(s wire.TPMTSensitive) []byte {
	return wire.Marshal(wire.TPM2BSensitive{SensitiveArea: s})
}

// forge wraps area as the parent with knownSeed does, with an IV of any size.
func forge(t *testing.T, pub *wire.TPMTPublic, iv int, area []byte) []byte {
	t.Helper()
	name := crypt.ObjectName(pub)
	p := crypt.Protection{Hash: wire.AlgSHA256, Sym: wire.AlgAES, KeyBits: 128, Seed: knownSeed}
	if iv == 16 {
		blob, err := crypt.Protect(p, name, make([]byte, iv), area)
		if err != nil {
			t.Fatal(err)
		}
		return blob
	}
	var body, blob wire.Writer
	body.Sized(make([]byte, iv))
	body.Bytes(area)
	key := crypt.KDFa(wire.AlgSHA256, knownSeed, "INTEGRITY", nil, nil, 256)
	blob.Sized(crypt.HMAC(wire.AlgSHA256, key, body.Data(), name))
	blob.Bytes(body.Data())
	return blob.Data()
}

// TestPrivateChanged: whatever bit of a private area is changed, it is not loaded.
func TestPrivateChanged(t *testing.T) {
	v := newVector(t)
	v.run("use sealed")
	private := v.vars["$private"]
	for i := 16; i < 8*len(private); i++ {
		changed := append([]byte(nil), private...)
		changed[i/8] ^= 1 << (i % 8)
		v.run("TPM2_Load $srk ; pw : %s $public", hex.EncodeToString(changed))
		v.checked = true
		rc := v.rc()
		// The size of the integrity value comes first.
		if sized := i < 32; !sized && rc != wire.RCIntegrity.Param(1) || sized && rc == wire.RCSuccess {
			t.Fatalf("bit %d: %v", i, rc)
		}
	}
}
