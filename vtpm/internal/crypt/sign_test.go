package crypt_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"math/big"
	"testing"

	"github.com/bootseal/bootseal/vtpm/internal/crypt"
	"github.com/bootseal/bootseal/vtpm/internal/wire"
)

func scheme(s, h wire.Alg) wire.TPMTSigScheme { return wire.TPMTSigScheme{Scheme: s, HashAlg: h} }

// Every scheme with every hash: what Sign makes Verify takes, and not for
// another digest; and the standard library agrees.
func TestSignVerify(t *testing.T) {
	rsaKey := rsa2048(t)
	for _, h := range hashes {
		digest, other := crypt.Digest(h, []byte("message")), crypt.Digest(h, []byte("another"))
		check := func(name string, k testKey, s wire.Alg) wire.TPMTSignature {
			t.Helper()
			p := k.private(t)
			sig, err := crypt.Sign(rand.Reader, k.pub, p, scheme(s, h), digest)
			if err != nil {
				t.Fatalf("%s %v %v: %v", name, s, h, err)
			}
			if err := crypt.Verify(k.pub, p, digest, &sig); err != nil {
				t.Errorf("%s %v %v: %v", name, s, h, err)
			}
			if err := crypt.Verify(k.pub, p, other, &sig); !errors.Is(err, wire.RCSignature) {
				t.Errorf("%s %v %v, another digest: %v", name, s, h, err)
			}
			return sig
		}
		pub := &rsaKey.goRSA().PublicKey
		sig := check("RSA", rsaKey, wire.AlgRSASSA)
		if g, ok := goHash[h]; ok && rsa.VerifyPKCS1v15(pub, g, digest, sig.RSA) != nil {
			t.Errorf("RSASSA %v: crypto/rsa disagrees", h)
		}
		sig = check("RSA", rsaKey, wire.AlgRSAPSS)
		if g, ok := goHash[h]; ok && rsa.VerifyPSS(pub, g, digest, sig.RSA, &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash}) != nil {
			t.Errorf("RSAPSS %v: crypto/rsa disagrees, or the salt has not the digest's size", h)
		}
		for id, c := range curves {
			k := eccKey(t, id, 0x17)
			sig := check(c.Params().Name, k, wire.AlgECDSA)
			if len(sig.R) != crypt.CurveSize(id) || len(sig.S) != crypt.CurveSize(id) {
				t.Errorf("%v: r has %d bytes, s %d", id, len(sig.R), len(sig.S))
			}
			q, err := ecdsa.ParseUncompressedPublicKey(c, append(append([]byte{4}, k.pub.Unique.ECC.X...), k.pub.Unique.ECC.Y...))
			if err != nil {
				t.Fatal(err)
			}
			if !ecdsa.Verify(q, digest, new(big.Int).SetBytes(sig.R), new(big.Int).SetBytes(sig.S)) {
				t.Errorf("ECDSA %v: crypto/ecdsa disagrees", id)
			}
		}
		sig = check("HMAC", hmacKey(h, []byte("key")), wire.AlgHMAC)
		if !bytes.Equal(sig.HMAC, crypt.HMAC(h, []byte("key"), digest)) {
			t.Errorf("HMAC %v: not the HMAC of the digest", h)
		}
	}
}

// 1,024 bits are just enough for RSAPSS with SHA-512, if the salt gives way: 128
// bytes less the digest and two leave 62.
func TestPSSSaltOfSmallKey(t *testing.T) {
	k := rsaKeyOf(t, prime1024P, prime1024Q, 7)
	digest := crypt.Digest(wire.AlgSHA512, []byte("message"))
	sig, err := crypt.Sign(rand.Reader, k.pub, k.private(t), scheme(wire.AlgRSAPSS, wire.AlgSHA512), digest)
	if err != nil {
		t.Fatal(err)
	}
	if err := rsa.VerifyPSS(&k.goRSA().PublicKey, goHash[wire.AlgSHA512], digest, sig.RSA, &rsa.PSSOptions{SaltLength: 62}); err != nil {
		t.Error(err)
	}
	if err := crypt.Verify(k.pub, nil, digest, &sig); err != nil {
		t.Error(err)
	}
}

// A TPM accepts RSAPSS salts that it would not make: none, and the longest.
func TestVerifyPSSOtherSalts(t *testing.T) {
	k := rsa2048(t)
	digest := crypt.Digest(wire.AlgSHA256, []byte("message"))
	for _, n := range []int{1, 20, 256 - 32 - 2} {
		b, err := rsa.SignPSS(rand.Reader, k.goRSA(), goHash[wire.AlgSHA256], digest, &rsa.PSSOptions{SaltLength: n})
		if err != nil {
			t.Fatal(err)
		}
		if err := crypt.Verify(k.pub, nil, digest, &wire.TPMTSignature{SigAlg: wire.AlgRSAPSS, Hash: wire.AlgSHA256, RSA: b}); err != nil {
			t.Errorf("salt of %d bytes: %v", n, err)
		}
	}
}

func TestSignNullScheme(t *testing.T) {
	sig, err := crypt.Sign(rand.Reader, nil, nil, scheme(wire.AlgNull, wire.AlgNull), nil)
	if err != nil || sig.SigAlg != wire.AlgNull || len(wire.Marshal(sig)) != 2 {
		t.Errorf("%+v, %v", sig, err)
	}
}

func TestSignErrors(t *testing.T) {
	rsaKey, ecc, mac, aes := rsa2048(t), eccKey(t, wire.CurveNISTP256, 1), hmacKey(wire.AlgSHA256, []byte("k")), aesKey(make([]byte, 16))
	for _, tt := range []struct {
		why    string
		key    testKey
		scheme wire.TPMTSigScheme
		digest int
		want   wire.RC
	}{
		{"ECDSA with an RSA key", rsaKey, scheme(wire.AlgECDSA, wire.AlgSHA256), 32, wire.RCScheme},
		{"HMAC with an RSA key (CVE-2025-2884)", rsaKey, scheme(wire.AlgHMAC, wire.AlgSHA256), 32, wire.RCScheme},
		{"HMAC with an ECC key", ecc, scheme(wire.AlgHMAC, wire.AlgSHA256), 32, wire.RCScheme},
		{"RSASSA with an HMAC key", mac, scheme(wire.AlgRSASSA, wire.AlgSHA256), 32, wire.RCScheme},
		{"RSASSA with an ECC key", ecc, scheme(wire.AlgRSASSA, wire.AlgSHA256), 32, wire.RCScheme},
		{"HMAC with a cipher key", aes, scheme(wire.AlgHMAC, wire.AlgSHA256), 32, wire.RCScheme},
		{"an encryption scheme", rsaKey, scheme(wire.AlgOAEP, wire.AlgSHA256), 32, wire.RCScheme},
		{"RSASSA without a hash", rsaKey, scheme(wire.AlgRSASSA, wire.AlgNull), 32, wire.RCScheme},
		{"HMAC without a hash", mac, scheme(wire.AlgHMAC, wire.AlgNull), 32, wire.RCHash},
		{"RSASSA, digest of another hash", rsaKey, scheme(wire.AlgRSASSA, wire.AlgSHA256), 20, wire.RCValue},
		{"RSAPSS, digest of another hash", rsaKey, scheme(wire.AlgRSAPSS, wire.AlgSHA256), 33, wire.RCValue},
	} {
		_, err := crypt.Sign(rand.Reader, tt.key.pub, tt.key.private(t), tt.scheme, make([]byte, tt.digest))
		if !errors.Is(err, tt.want) {
			t.Errorf("%s: %v, want %v", tt.why, err, tt.want)
		}
		if _, err := crypt.Sign(rand.Reader, tt.key.pub, nil, tt.scheme, make([]byte, tt.digest)); !errors.Is(err, wire.RCKey) {
			t.Errorf("%s, without a private part: %v", tt.why, err)
		}
	}
}

// Factors that are no primes get as far as a load, and no further.
func TestSignWithCompositeFactor(t *testing.T) {
	d := crypt.Digest(wire.AlgSHA256, nil)
	n := new(big.Int).SetBytes(unhex(t, prime2048Q))
	for n.Add(n, big.NewInt(2)); ; n.Add(n, big.NewInt(2)) {
		bad := rsaKeyOf(t, prime2048P, n.Text(16), 0)
		p, err := crypt.NewPrivate(bad.pub, bad.sens)
		if err != nil {
			continue
		}
		if _, err := crypt.Sign(rand.Reader, bad.pub, p, scheme(wire.AlgRSASSA, wire.AlgSHA256), d); !errors.Is(err, wire.RCBinding) {
			t.Errorf("sign: %v", err)
		}
		if _, err := crypt.RSADecrypt(bad.pub, p, wire.AlgNull, wire.AlgNull, nil, append(make([]byte, 255), 2)); !errors.Is(err, wire.RCBinding) {
			t.Errorf("raw: %v", err)
		}
		return
	}
}
