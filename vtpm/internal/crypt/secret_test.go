package crypt_test

import (
	"bytes"
	"crypto/rand"
	"errors"
	"testing"

	"github.com/google/go-tpm/tpm2"

	"github.com/bootseal/bootseal/vtpm/internal/crypt"
	"github.com/bootseal/bootseal/vtpm/internal/wire"
)

func TestSecretRoundTrip(t *testing.T) {
	keys := map[string]testKey{"RSA": rsa2048(t)}
	for id, c := range curves {
		keys[c.Params().Name] = eccKey(t, id, 0x42)
	}
	for name, k := range keys {
		for _, label := range []string{"SECRET", "IDENTITY", "DUPLICATE"} {
			seed, enc, err := crypt.EncryptSecret(rand.Reader, k.pub, label)
			if err != nil || len(seed) != 32 {
				t.Fatalf("%s: %d bytes, %v", name, len(seed), err)
			}
			got, err := crypt.DecryptSecret(k.pub, k.private(t), label, enc)
			if err != nil || !bytes.Equal(got, seed) {
				t.Errorf("%s %s: %x, %v, want %x", name, label, got, err, seed)
			}
			// A secret for one purpose is none for another.
			got, err = crypt.DecryptSecret(k.pub, k.private(t), "OTHER", enc)
			if err == nil && bytes.Equal(got, seed) {
				t.Errorf("%s %s: the label does not matter", name, label)
			}
		}
	}
}

// What the client encrypts to a key, the key decrypts: salts, and the secrets
// of credentials and duplicates, which differ in their labels.
func TestDecryptSecretOfGoTPM(t *testing.T) {
	for name, k := range map[string]testKey{
		"RSA": rsa2048(t), "P-256": eccKey(t, wire.CurveNISTP256, 0x42),
		"P-384": eccKey(t, wire.CurveNISTP384, 0x42), "P-521": eccKey(t, wire.CurveNISTP521, 0x42),
	} {
		k = k.storage()
		pub, err := tpm2.ImportEncapsulationKey(client(t, k.pub))
		if err != nil {
			t.Fatal(err)
		}
		for _, label := range []string{"SECRET", "IDENTITY", "DUPLICATE"} {
			want, enc, err := pub.Encapsulate(rand.Reader, label)
			if err != nil {
				t.Fatal(err)
			}
			got, err := crypt.DecryptSecret(k.pub, k.private(t), label, enc)
			if err != nil || !bytes.Equal(got, want) {
				t.Errorf("%s %s: %x, %v, want %x", name, label, got, err, want)
			}
		}
	}
}

// The sender's x coordinate enters the derivation as it was sent, not as a
// number.
func TestDecryptSecretHashesPointAsSent(t *testing.T) {
	k := eccKey(t, wire.CurveNISTP256, 0x42)
	q := pointWithLeadingZero(t, wire.CurveNISTP256)
	short := wire.TPMSECCPoint{X: q.X[1:], Y: q.Y}
	z, err := crypt.PointMultiply(wire.CurveNISTP256, k.sens.Sensitive, &q)
	if err != nil {
		t.Fatal(err)
	}
	want := crypt.KDFe(wire.AlgSHA256, z.X, "SECRET", short.X, k.pub.Unique.ECC.X, 256)
	got, err := crypt.DecryptSecret(k.pub, k.private(t), "SECRET", wire.Marshal(short))
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("%x, %v, want %x", got, err, want)
	}
}

func TestEncryptSecretErrors(t *testing.T) {
	type pub = *wire.TPMTPublic
	rsa, ecc := rsa2048(t), eccKey(t, wire.CurveNISTP256, 1)
	for _, tt := range []struct {
		why    string
		key    testKey
		change func(pub)
		want   wire.RC
	}{
		{"no decryption key", rsa, func(p pub) { p.ObjectAttributes = wire.ObjSign }, wire.RCAttributes},
		{"not an asymmetric key", aesKey(make([]byte, 16)), func(pub) {}, wire.RCKey},
		{"point off the curve", ecc, func(p pub) { p.Unique.ECC.Y[31] ^= 1 }, wire.RCKey},
		{"unknown curve", ecc, func(p pub) { p.Parameters.ECC.CurveID = wire.Curve25519 }, wire.RCKey},
		{"no nameAlg", ecc, func(p pub) { p.NameAlg = wire.AlgNull }, wire.RCValue},
		{"key too small for OAEP with nameAlg", rsaKeyOf(t, prime1024P, prime1024Q, 7), func(p pub) { p.NameAlg = wire.AlgSHA512 }, wire.RCHash},
	} {
		k := tt.key.change(func(p *wire.TPMTPublic, _ *wire.TPMTSensitive) { tt.change(p) })
		seed, enc, err := crypt.EncryptSecret(rand.Reader, k.pub, "SECRET")
		if !errors.Is(err, tt.want) || seed != nil || enc != nil {
			t.Errorf("%s: %v, want %v", tt.why, err, tt.want)
		}
	}
	for name, k := range map[string]testKey{"RSA": rsa, "ECC": ecc} {
		if _, _, err := crypt.EncryptSecret(bytes.NewReader(nil), k.pub, "SECRET"); !errors.Is(err, wire.RCNoResult) {
			t.Errorf("%s without entropy: %v", name, err)
		}
	}
}

func TestDecryptSecretErrors(t *testing.T) {
	rsa, ecc := rsa2048(t), eccKey(t, wire.CurveNISTP256, 1)
	withScheme := func(s, h wire.Alg) testKey {
		return rsa.change(func(p *wire.TPMTPublic, _ *wire.TPMTSensitive) {
			p.Parameters.RSA.Scheme = wire.TPMTRSAScheme{Scheme: s, HashAlg: h}
		})
	}
	long, err := crypt.RSAEncrypt(rand.Reader, rsa.pub, wire.AlgOAEP, wire.AlgSHA256, []byte("SECRET\x00"), make([]byte, 33))
	if err != nil {
		t.Fatal(err)
	}
	off := wire.Marshal(wire.TPMSECCPoint{X: []byte{1}, Y: []byte{1}})
	for _, tt := range []struct {
		why       string
		key       testKey
		encrypted []byte
		want      wire.RC
	}{
		{"RSAES key", withScheme(wire.AlgRSAES, wire.AlgNull), make([]byte, 256), wire.RCScheme},
		{"signing key", withScheme(wire.AlgRSASSA, wire.AlgSHA256), make([]byte, 256), wire.RCScheme},
		{"OAEP without a hash", withScheme(wire.AlgOAEP, wire.AlgNull), make([]byte, 256), wire.RCScheme},
		{"one byte less than the modulus", rsa, make([]byte, 255), wire.RCSize},
		{"bad padding", rsa, make([]byte, 256), wire.RCValue},
		{"secret longer than a digest", rsa, long, wire.RCValue},
		{"no point", ecc, nil, wire.RCInsufficient},
		{"half a point", ecc, []byte{0, 1, 1}, wire.RCInsufficient},
		{"coordinate over any curve's", ecc, append([]byte{0, 81}, make([]byte, 83)...), wire.RCSize},
		{"point off the curve", ecc, off, wire.RCECCPoint},
		{"not an asymmetric key", aesKey(make([]byte, 16)), nil, wire.RCKey},
	} {
		if _, err := crypt.DecryptSecret(tt.key.pub, tt.key.private(t), "SECRET", tt.encrypted); !errors.Is(err, tt.want) {
			t.Errorf("%s: %v, want %v", tt.why, err, tt.want)
		}
		if _, err := crypt.DecryptSecret(tt.key.pub, nil, "SECRET", tt.encrypted); !errors.Is(err, wire.RCKey) {
			t.Errorf("%s, without a private part: %v", tt.why, err)
		}
	}
}

// A key's own OAEP scheme overrules its nameAlg.
func TestDecryptSecretWithKeysScheme(t *testing.T) {
	k := rsa2048(t).change(func(p *wire.TPMTPublic, _ *wire.TPMTSensitive) {
		p.Parameters.RSA.Scheme = wire.TPMTRSAScheme{Scheme: wire.AlgOAEP, HashAlg: wire.AlgSHA1}
	})
	enc, err := crypt.RSAEncrypt(rand.Reader, k.pub, wire.AlgOAEP, wire.AlgSHA1, []byte("SECRET\x00"), []byte("seed"))
	if err != nil {
		t.Fatal(err)
	}
	if seed, err := crypt.DecryptSecret(k.pub, k.private(t), "SECRET", enc); err != nil || string(seed) != "seed" {
		t.Errorf("%q, %v", seed, err)
	}
}

// Salts for symmetric keys: a nonce that is shorter or longer than the block is
// filled up or cut.
func TestDecryptSalt(t *testing.T) {
	mac, aes := hmacKey(wire.AlgSHA256, []byte("key")), aesKey(bytes.Repeat([]byte{9}, 16))
	salt := bytes.Repeat([]byte{0x5A}, 32)
	for _, n := range []int{0, 8, 16, 32} {
		nonce := bytes.Repeat([]byte{0xC3}, n)

		enc := bytes.Clone(salt)
		if err := crypt.XORObfuscate(wire.AlgSHA256, []byte("key"), nonce, nil, enc); err != nil {
			t.Fatal(err)
		}
		if got, err := crypt.DecryptSalt(mac.pub, mac.private(t), nonce, enc); err != nil || !bytes.Equal(got, salt) {
			t.Errorf("keyed hash, nonce of %d bytes: %x, %v", n, got, err)
		}

		enc, iv := bytes.Clone(salt), make([]byte, 16)
		copy(iv, nonce)
		if err := crypt.EncryptCFB(wire.AlgAES, aes.sens.Sensitive, iv, enc); err != nil {
			t.Fatal(err)
		}
		if got, err := crypt.DecryptSalt(aes.pub, aes.private(t), nonce, enc); err != nil || !bytes.Equal(got, salt) {
			t.Errorf("cipher, nonce of %d bytes: %x, %v", n, got, err)
		}
	}
	for why, tt := range map[string]struct {
		key  testKey
		size int
		want wire.RC
	}{
		"keyed hash, salt over a digest": {mac, 33, wire.RCValue},
		"cipher, salt over a digest":     {aes, 33, wire.RCValue},
		"an asymmetric key":              {rsa2048(t), 32, wire.RCKey},
	} {
		if _, err := crypt.DecryptSalt(tt.key.pub, tt.key.private(t), nil, make([]byte, tt.size)); !errors.Is(err, tt.want) {
			t.Errorf("%s: %v, want %v", why, err, tt.want)
		}
	}
	if _, err := crypt.DecryptSalt(mac.pub, nil, nil, nil); !errors.Is(err, wire.RCKey) {
		t.Errorf("no private part: %v", err)
	}
}
