package crypt_test

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"errors"
	"math/big"
	"testing"
	"testing/iotest"

	"github.com/bootseal/bootseal/vtpm/internal/crypt"
	"github.com/bootseal/bootseal/vtpm/internal/wire"
)

// Both sizes and exponents, every scheme, the empty and the longest message.
func TestRSAEncryptDecrypt(t *testing.T) {
	for name, k := range map[string]testKey{"2048": rsa2048(t), "1024, e=7": rsaKeyOf(t, prime1024P, prime1024Q, 7)} {
		p, size := k.private(t), len(k.pub.Unique.RSA)
		for _, tt := range []struct {
			scheme, hash wire.Alg
			longest      int
		}{
			{wire.AlgRSAES, wire.AlgNull, size - 11},
			{wire.AlgOAEP, wire.AlgSHA1, size - 42},
			{wire.AlgOAEP, wire.AlgSHA256, size - 66},
			{wire.AlgOAEP, wire.AlgSHA384, size - 98},
		} {
			for _, n := range []int{0, 1, tt.longest} {
				msg := bytes.Repeat([]byte{0xA7}, n)
				enc, err := crypt.RSAEncrypt(rand.Reader, k.pub, tt.scheme, tt.hash, []byte("L\x00"), msg)
				if err != nil || len(enc) != size {
					t.Fatalf("%s %v %v, %d bytes: %d bytes, %v", name, tt.scheme, tt.hash, n, len(enc), err)
				}
				dec, err := crypt.RSADecrypt(k.pub, p, tt.scheme, tt.hash, []byte("L\x00"), enc)
				if err != nil || !bytes.Equal(dec, msg) {
					t.Errorf("%s %v %v, %d bytes: %x, %v", name, tt.scheme, tt.hash, n, dec, err)
				}
			}
			_, err := crypt.RSAEncrypt(rand.Reader, k.pub, tt.scheme, tt.hash, nil, make([]byte, tt.longest+1))
			if !errors.Is(err, wire.RCValue) {
				t.Errorf("%s %v %v, one byte too many: %v", name, tt.scheme, tt.hash, err)
			}
		}
	}
}

// The label is hashed with whatever terminator it has.
func TestOAEPLabel(t *testing.T) {
	k := rsa2048(t)
	enc, err := rsa.EncryptOAEP(sha1.New(), rand.Reader, &k.goRSA().PublicKey, []byte("secret"), []byte("DUPLICATE\x00"))
	if err != nil {
		t.Fatal(err)
	}
	p := k.private(t)
	if dec, err := crypt.RSADecrypt(k.pub, p, wire.AlgOAEP, wire.AlgSHA1, []byte("DUPLICATE\x00"), enc); err != nil || string(dec) != "secret" {
		t.Errorf("%q, %v", dec, err)
	}
	for _, label := range []string{"", "DUPLICATE", "IDENTITY\x00"} {
		if _, err := crypt.RSADecrypt(k.pub, p, wire.AlgOAEP, wire.AlgSHA1, []byte(label), enc); !errors.Is(err, wire.RCValue) {
			t.Errorf("label %q: %v", label, err)
		}
	}
	for label, ok := range map[string]bool{"": true, "\x00": true, "a\x00": true, "a": false, "a\x00b": false} {
		if crypt.LabelOK([]byte(label)) != ok {
			t.Errorf("LabelOK(%q) is %v", label, !ok)
		}
	}
}

// Without padding a message is a number: the result is what arithmetic says, and
// shorter or zero-padded messages are the same number.
func TestRSARaw(t *testing.T) {
	for name, k := range map[string]testKey{
		"p > q": rsa2048(t), "p < q": rsaKeyOf(t, prime2048Q, prime2048P, 0),
		"1024, e=7": rsaKeyOf(t, prime1024P, prime1024Q, 7),
	} {
		p, g := k.private(t), k.goRSA()
		nMinus1 := new(big.Int).Sub(g.N, big.NewInt(1)).Bytes()
		for _, msg := range [][]byte{nil, {1}, {0, 0, 2}, bytes.Repeat([]byte{0x5A}, len(nMinus1)), append([]byte{0}, nMinus1...)} {
			enc, err := crypt.RSAEncrypt(rand.Reader, k.pub, wire.AlgNull, wire.AlgNull, nil, msg)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			m := new(big.Int).SetBytes(msg)
			want := new(big.Int).Exp(m, big.NewInt(int64(g.E)), g.N)
			if !bytes.Equal(enc, want.FillBytes(make([]byte, len(nMinus1)))) {
				t.Errorf("%s: %x encrypts to %x", name, msg, enc)
			}
			dec, err := crypt.RSADecrypt(k.pub, p, wire.AlgNull, wire.AlgNull, nil, enc)
			if err != nil || !bytes.Equal(dec, m.FillBytes(make([]byte, len(nMinus1)))) {
				t.Errorf("%s: %x decrypts to %x, %v", name, msg, dec, err)
			}
		}
	}
}

func TestRSAEncryptErrors(t *testing.T) {
	k, small := rsa2048(t), rsaKeyOf(t, prime1024P, prime1024Q, 7)
	exponent := func(e uint32) testKey {
		return k.change(func(p *wire.TPMTPublic, _ *wire.TPMTSensitive) { p.Parameters.RSA.Exponent = e })
	}
	even := k.change(func(p *wire.TPMTPublic, _ *wire.TPMTSensitive) { p.Unique.RSA[255] &^= 1 })
	for _, tt := range []struct {
		why          string
		key          testKey
		scheme, hash wire.Alg
		message      []byte
		want         wire.RC
	}{
		{"a signing scheme", k, wire.AlgRSASSA, wire.AlgSHA256, nil, wire.RCScheme},
		{"OAEP without a hash", k, wire.AlgOAEP, wire.AlgNull, nil, wire.RCValue},
		{"key too small for OAEP with SHA-512", small, wire.AlgOAEP, wire.AlgSHA512, nil, wire.RCHash},
		{"number of the modulus", k, wire.AlgNull, wire.AlgNull, k.pub.Unique.RSA, wire.RCValue},
		{"number over the modulus", k, wire.AlgNull, wire.AlgNull, bytes.Repeat([]byte{0xFF}, 256), wire.RCValue},
		{"number longer than the modulus", k, wire.AlgNull, wire.AlgNull, bytes.Repeat([]byte{1}, 257), wire.RCValue},
		{"even exponent", exponent(65536), wire.AlgNull, wire.AlgNull, nil, wire.RCRange},
		{"exponent over 31 bits", exponent(1<<32 - 1), wire.AlgNull, wire.AlgNull, nil, wire.RCRange},
		{"even modulus", even, wire.AlgNull, wire.AlgNull, []byte{2}, wire.RCValue},
		{"even modulus", even, wire.AlgOAEP, wire.AlgSHA256, nil, wire.RCValue},
		{"even modulus", even, wire.AlgRSAES, wire.AlgNull, nil, wire.RCValue},
	} {
		if _, err := crypt.RSAEncrypt(rand.Reader, tt.key.pub, tt.scheme, tt.hash, nil, tt.message); !errors.Is(err, tt.want) {
			t.Errorf("%s: %v, want %v", tt.why, err, tt.want)
		}
	}
}

func TestRSADecryptErrors(t *testing.T) {
	k := rsa2048(t)
	p := k.private(t)
	for _, tt := range []struct {
		why          string
		scheme, hash wire.Alg
		encrypted    []byte
		want         wire.RC
	}{
		{"short", wire.AlgRSAES, wire.AlgNull, make([]byte, 255), wire.RCSize},
		{"long", wire.AlgNull, wire.AlgNull, make([]byte, 257), wire.RCSize},
		{"empty", wire.AlgOAEP, wire.AlgSHA256, nil, wire.RCSize},
		{"the modulus", wire.AlgOAEP, wire.AlgSHA256, k.pub.Unique.RSA, wire.RCSize},
		{"over the modulus", wire.AlgRSAES, wire.AlgNull, bytes.Repeat([]byte{0xFF}, 256), wire.RCSize},
		{"a signing scheme", wire.AlgRSAPSS, wire.AlgSHA256, make([]byte, 256), wire.RCScheme},
		{"OAEP without a hash", wire.AlgOAEP, wire.AlgNull, make([]byte, 256), wire.RCValue},
		{"RSAES padding", wire.AlgRSAES, wire.AlgNull, make([]byte, 256), wire.RCValue},
		{"OAEP padding", wire.AlgOAEP, wire.AlgSHA256, make([]byte, 256), wire.RCValue},
	} {
		if _, err := crypt.RSADecrypt(k.pub, p, tt.scheme, tt.hash, nil, tt.encrypted); !errors.Is(err, tt.want) {
			t.Errorf("%s: %v, want %v", tt.why, err, tt.want)
		}
	}
	if _, err := crypt.RSADecrypt(k.pub, eccKey(t, wire.CurveNISTP256, 1).private(t), wire.AlgNull, wire.AlgNull, nil, make([]byte, 256)); !errors.Is(err, wire.RCKey) {
		t.Errorf("another type's private part: %v", err)
	}
	if _, err := crypt.RSADecrypt(k.pub, nil, wire.AlgNull, wire.AlgNull, nil, make([]byte, 256)); !errors.Is(err, wire.RCKey) {
		t.Errorf("no private part: %v", err)
	}
}

func BenchmarkRSA2048(b *testing.B) {
	k := rsa2048(b)
	digest := crypt.Digest(wire.AlgSHA256, nil)
	b.Run("load", func(b *testing.B) {
		for b.Loop() {
			k.private(b)
		}
	})
	b.Run("first use", func(b *testing.B) {
		for b.Loop() {
			if _, err := crypt.Sign(rand.Reader, k.pub, k.private(b), scheme(wire.AlgRSASSA, wire.AlgSHA256), digest); err != nil {
				b.Fatal(err)
			}
		}
	})
	p := k.private(b)
	b.Run("sign", func(b *testing.B) {
		for b.Loop() {
			if _, err := crypt.Sign(rand.Reader, k.pub, p, scheme(wire.AlgRSASSA, wire.AlgSHA256), digest); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("raw", func(b *testing.B) {
		for b.Loop() {
			if _, err := crypt.RSADecrypt(k.pub, p, wire.AlgNull, wire.AlgNull, nil, make([]byte, 256)); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// A source of randomness that fails is not the message's fault.
func TestRSAEncryptWithoutRandomness(t *testing.T) {
	k := rsa2048(t)
	broken := iotest.ErrReader(errors.New("broken"))
	if _, err := crypt.RSAEncrypt(broken, k.pub, wire.AlgOAEP, wire.AlgSHA256, nil, []byte("message")); !errors.Is(err, wire.RCNoResult) {
		t.Errorf("OAEP: %v", err)
	}
	if _, err := crypt.RSAEncrypt(broken, k.pub, wire.AlgRSAES, wire.AlgNull, nil, []byte("message")); err != nil && !errors.Is(err, wire.RCNoResult) {
		t.Errorf("RSAES: %v", err)
	}
	if _, _, err := crypt.EncryptSecret(broken, k.storage().pub, "DUPLICATE"); !errors.Is(err, wire.RCNoResult) {
		t.Errorf("a secret: %v", err)
	}
}
