package ca

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Options say how a CA is made.
type Options struct {
	// Algorithm of both keys: "p384", which is the default, "rsa3072" or "rsa4096".
	Algorithm string
	// Name is in the subjects of root and issuer. The default is "bootseal vTPM CA" with
	// eight random hex digits, so that two CAs are not taken for one.
	Name string
}

// Algorithms returns what Options.Algorithm can be.
func Algorithms() []string { return []string{"p384", "rsa3072", "rsa4096"} }

// made is a new CA: the PEM files of its directory, by name.
type made map[string][]byte

// create makes a root and an issuer.
func create(o Options, now time.Time) (made, error) {
	if o.Algorithm == "" {
		o.Algorithm = Algorithms()[0]
	}
	if !slices.Contains(Algorithms(), o.Algorithm) {
		return nil, fmt.Errorf("there is no CA key %q: it is %s", o.Algorithm, strings.Join(Algorithms(), " or "))
	}
	if o.Name == "" {
		b := make([]byte, 4)
		rand.Read(b)
		o.Name = "bootseal vTPM CA " + hex.EncodeToString(b)
	}
	rootKey, err := generate(o.Algorithm)
	if err != nil {
		return nil, err
	}
	issuerKey, err := generate(o.Algorithm)
	if err != nil {
		return nil, err
	}
	root, err := sign(caTemplate(o.Name+" root", now, 1), nil, rootKey.Public(), rootKey)
	if err != nil {
		return nil, err
	}
	issuer, err := sign(caTemplate(o.Name+" issuer", now, 0), root, issuerKey.Public(), rootKey)
	if err != nil {
		return nil, err
	}
	files := made{rootFile: encodeCertificate(root), issuerFile: encodeCertificate(issuer)}
	for name, key := range map[string]crypto.Signer{rootKeyFile: rootKey, issuerKeyFile: issuerKey} {
		if files[name], err = encodeKey(key); err != nil {
			return nil, err
		}
	}
	return files, nil
}

func generate(algorithm string) (crypto.Signer, error) {
	switch algorithm {
	case "rsa3072":
		return rsa.GenerateKey(rand.Reader, 3072)
	case "rsa4096":
		return rsa.GenerateKey(rand.Reader, 4096)
	}
	return ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
}

// caTemplate is a CA's certificate, with at most below CAs under it.
func caTemplate(name string, now time.Time, below int) *x509.Certificate {
	return &x509.Certificate{
		SerialNumber:          serialNumber(),
		Subject:               pkix.Name{CommonName: name},
		NotBefore:             now.Add(-backdate),
		NotAfter:              noExpiry(),
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
		BasicConstraintsValid: true,
		IsCA:                  true,
		MaxPathLen:            below,
		MaxPathLenZero:        below == 0,
	}
}

// sign signs a CA's certificate; without a parent by itself.
func sign(t, parent *x509.Certificate, public crypto.PublicKey, key crypto.Signer) (*x509.Certificate, error) {
	if parent == nil {
		parent = t
	}
	der, err := x509.CreateCertificate(rand.Reader, t, parent, public, key)
	if err != nil {
		return nil, fmt.Errorf("sign the certificate of %q: %w", t.Subject, err)
	}
	return x509.ParseCertificate(der)
}
