package pcrsig

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"

	"github.com/bootseal/bootseal/pcr"
)

// Signer makes an RSASSA-PKCS1-v1_5 signature over a SHA-256 digest: a key in memory, or
// a program that asks a KMS.
type Signer func(digest []byte) ([]byte, error)

// Sign has the key approve of a policy digest, which the PCRs' values lead to. What the
// signer returns is verified with the key.
func Sign(k *Key, signer Signer, pcrs pcr.Selection, policy pcr.Digest) (Signature, error) {
	if pcrs == 0 || len(policy) != sha256.Size {
		return Signature{}, fmt.Errorf("sign a policy: PCRs %q and a digest of %d bytes: want some, and %d", pcrs, len(policy), sha256.Size)
	}
	digest := sha256.Sum256(policy)
	sig, err := signer(digest[:])
	if err != nil {
		return Signature{}, fmt.Errorf("sign a policy: %w", err)
	}
	s := Signature{PCRs: pcrs, Key: k.Fingerprint(), Policy: bytes.Clone(policy), Sig: sig}
	if err := k.Verify(&s); err != nil {
		return Signature{}, fmt.Errorf("sign a policy: what was signed does not verify with the public key %s", s.Key)
	}
	return s, nil
}

// ParsePrivateKey reads an RSA private key in PEM (PKCS #8 or PKCS #1, not encrypted),
// and returns what signs with it.
func ParsePrivateKey(text []byte) (*Key, Signer, error) {
	block, _ := pem.Decode(text)
	if block == nil {
		return nil, nil, errors.New("private key: not PEM")
	}
	defer clear(block.Bytes)
	private, err := parsePrivate(block)
	if err != nil {
		return nil, nil, fmt.Errorf("private key: %w", err)
	}
	k, err := NewKey(&private.PublicKey)
	if err != nil {
		return nil, nil, err
	}
	return k, func(digest []byte) ([]byte, error) {
		return rsa.SignPKCS1v15(rand.Reader, private, crypto.SHA256, digest)
	}, nil
}

func parsePrivate(block *pem.Block) (*rsa.PrivateKey, error) {
	switch block.Type {
	case "RSA PRIVATE KEY":
		if len(block.Headers) > 0 {
			return nil, errors.New("it is encrypted: decrypt it into a pipe")
		}
		return x509.ParsePKCS1PrivateKey(block.Bytes)
	case "PRIVATE KEY":
		parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
		if err != nil {
			return nil, err
		}
		private, ok := parsed.(*rsa.PrivateKey)
		if !ok {
			return nil, fmt.Errorf("%T: want RSA", parsed)
		}
		return private, nil
	case "ENCRYPTED PRIVATE KEY":
		return nil, errors.New("it is encrypted: decrypt it into a pipe")
	}
	return nil, fmt.Errorf("PEM of %q: want PRIVATE KEY or RSA PRIVATE KEY", block.Type)
}
