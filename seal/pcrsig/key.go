package pcrsig

import (
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
)

// maxPEM bounds a public key's text, in bytes; one of 4096 bits takes 800.
const maxPEM = 16 << 10

// Key is the public half of a key that signs policies: RSA of 2048, 3072 or 4096 bits
// with the exponent 65537, which is what TPMs verify with.
type Key struct {
	Public *rsa.PublicKey
	// PEM is the text that the key was read from, as tokens hold it.
	PEM string
}

// Fingerprint names a key: the SHA-256 of its PKCS #1 encoding. It prints as hex.
type Fingerprint [sha256.Size]byte

func (f Fingerprint) String() string { return hex.EncodeToString(f[:]) }

// ParseKey reads a public key in PEM, "PUBLIC KEY" as openssl writes it, and nothing
// behind it.
func ParseKey(text string) (*Key, error) {
	if len(text) > maxPEM {
		return nil, fmt.Errorf("public key: %d bytes: want at most %d", len(text), maxPEM)
	}
	block, rest := pem.Decode([]byte(text))
	switch {
	case block == nil:
		return nil, errors.New("public key: not PEM")
	case block.Type != "PUBLIC KEY":
		return nil, fmt.Errorf("public key: PEM of %q: want PUBLIC KEY", block.Type)
	}
	if more, _ := pem.Decode(rest); more != nil {
		return nil, errors.New("public key: there is more than one in the text")
	}
	parsed, err := x509.ParsePKIXPublicKey(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("public key: %w", err)
	}
	public, ok := parsed.(*rsa.PublicKey)
	if !ok {
		return nil, fmt.Errorf("public key: %T: want RSA, which is what systemd signs policies with", parsed)
	}
	k := &Key{Public: public, PEM: text}
	return k, k.check()
}

// NewKey returns the key with its text made from it.
func NewKey(public *rsa.PublicKey) (*Key, error) {
	der, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		return nil, fmt.Errorf("public key: %w", err)
	}
	k := &Key{Public: public, PEM: string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))}
	return k, k.check()
}

func (k *Key) check() error {
	switch bits := k.Public.N.BitLen(); {
	case bits != 2048 && bits != 3072 && bits != 4096:
		return fmt.Errorf("public key: RSA of %d bits: want 2048, 3072 or 4096", bits)
	case k.Public.E != 65537:
		return fmt.Errorf("public key: exponent %d: want 65537", k.Public.E)
	}
	return nil
}

// Fingerprint returns the key's.
func (k *Key) Fingerprint() Fingerprint {
	return sha256.Sum256(x509.MarshalPKCS1PublicKey(k.Public))
}

// Verify reports whether the key's owner approves of the policy.
func (k *Key) Verify(s *Signature) error {
	digest := sha256.Sum256(s.Policy)
	return rsa.VerifyPKCS1v15(k.Public, crypto.SHA256, digest[:], s.Sig)
}
