package pcrsig

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"math/big"
	"strings"
	"testing"

	"github.com/bootseal/bootseal/pcr"
)

func encode(t testing.TB, kind string, der []byte, err error) string {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
}

func pkix(t testing.TB, public any) string {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(public)
	return encode(t, "PUBLIC KEY", der, err)
}

func TestParseKey(t *testing.T) {
	text := string(read(t, "public.pem"))
	k, err := ParseKey(text)
	if err != nil || k.PEM != text {
		t.Fatalf("%+v, %v", k, err)
	}
	if mine, _ := signer(t); mine.Fingerprint() != k.Fingerprint() || mine.PEM != text {
		t.Errorf("%s and %s", mine.Fingerprint(), k.Fingerprint())
	}
	ec, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	odd := *k.Public
	odd.E = 3
	for _, c := range []struct{ why, text, says string }{
		{"no text", "", "not PEM"},
		{"a private key", string(read(t, "key.pem")), `PEM of "RSA PRIVATE KEY"`},
		{"two keys", text + text, "more than one"},
		{"not a key", "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n", "public key: "},
		{"an elliptic curve", pkix(t, &ec.PublicKey), "want RSA"},
		{"a short key", pkix(t, &rsa.PublicKey{N: new(big.Int).Lsh(big.NewInt(1), 1023), E: 65537}), "RSA of 1024 bits"},
		{"an exponent that TPMs do not take", pkix(t, &odd), "exponent 3"},
		{"a huge text", text + strings.Repeat("\n", maxPEM), "want at most"},
	} {
		if _, err := ParseKey(c.text); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v", c.why, err)
		}
	}
}

func TestParsePrivateKey(t *testing.T) {
	block, _ := pem.Decode(read(t, "key.pem"))
	private, err := x509.ParsePKCS1PrivateKey(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(private)
	pkcs8 := encode(t, "PRIVATE KEY", der, err)
	k, sign, err := ParsePrivateKey([]byte(pkcs8))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Sign(k, sign, pcr.Select(11), make([]byte, 32)); err != nil {
		t.Error(err)
	}
	for _, c := range []struct{ why, text, says string }{
		{"no text", "", "not PEM"},
		{"a public key", string(read(t, "public.pem")), `PEM of "PUBLIC KEY"`},
		{"a key under a passphrase", strings.ReplaceAll(pkcs8, "PRIVATE", "ENCRYPTED PRIVATE"), "encrypted"},
	} {
		if _, _, err := ParsePrivateKey([]byte(c.text)); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v", c.why, err)
		}
	}
}

// A KMS that signs with another key, or not at all, is found out at once.
func TestSignRefuses(t *testing.T) {
	k, sign := signer(t)
	wrong := func(digest []byte) ([]byte, error) {
		sig, err := sign(digest)
		sig[0] ^= 1
		return sig, err
	}
	if _, err := Sign(k, wrong, pcr.Select(11), make([]byte, 32)); err == nil || !strings.Contains(err.Error(), "does not verify") {
		t.Error(err)
	}
	down := errors.New("the KMS is down")
	if _, err := Sign(k, func([]byte) ([]byte, error) { return nil, down }, pcr.Select(11), make([]byte, 32)); !errors.Is(err, down) {
		t.Error(err)
	}
	if _, err := Sign(k, sign, 0, make([]byte, 32)); err == nil {
		t.Error("no PCRs")
	}
	if _, err := Sign(k, sign, pcr.Select(11), make([]byte, 20)); err == nil {
		t.Error("a digest of SHA-1's size")
	}
}
