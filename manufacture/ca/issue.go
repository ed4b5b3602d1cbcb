package ca

import (
	"crypto"
	"crypto/rand"
	"crypto/sha1"
	"crypto/x509"
	"encoding/asn1"
	"encoding/pem"
	"fmt"
	"math/big"
	"time"

	"github.com/bootseal/bootseal/manufacture"
)

// CA issues certificates. Its methods can be called from any goroutine.
type CA struct {
	// IssuerURL is where the issuer's certificate can be fetched, in DER. It goes into the
	// certificates (RFC 5280, 4.2.2.1) unless it is empty.
	IssuerURL string

	key   crypto.Signer
	chain []*x509.Certificate // issuer first, root last where it is known
	now   func() time.Time
}

var _ manufacture.Issuer = (*CA)(nil)

// noExpiry is the notAfter of a certificate without an end (RFC 5280, 4.1.2.5), which is
// what the EK Credential Profile asks for.
func noExpiry() time.Time { return time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC) }

// backdate is for guests whose clock is behind.
const backdate = time.Hour

// Issue implements [manufacture.Issuer]. The certificate is valid as long as the issuer is.
func (c *CA) Issue(r manufacture.Request) ([]byte, error) {
	t, err := r.Template()
	if err != nil {
		return nil, err
	}
	issuer, now := c.chain[0], c.now()
	if now.After(issuer.NotAfter) {
		return nil, fmt.Errorf("the issuer %q has expired on %s", issuer.Subject, issuer.NotAfter.Format(time.DateOnly))
	}
	t.SerialNumber = serialNumber()
	t.NotBefore, t.NotAfter = later(now.Add(-backdate), issuer.NotBefore), issuer.NotAfter
	t.AuthorityKeyId, err = keyID(issuer)
	if err != nil {
		return nil, err
	}
	if c.IssuerURL != "" {
		t.IssuingCertificateURL = []string{c.IssuerURL}
	}
	der, err := x509.CreateCertificate(rand.Reader, t, issuer, r.Key, c.key)
	if err != nil {
		return nil, fmt.Errorf("sign a certificate: %w", err)
	}
	return der, nil
}

// Chain returns the issuer's certificate, and those above it.
func (c *CA) Chain() []*x509.Certificate { return append([]*x509.Certificate(nil), c.chain...) }

// Bundle returns what a verifier needs, in PEM: all certificates of the chain.
func (c *CA) Bundle() []byte {
	var out []byte
	for _, x := range c.chain {
		out = append(out, pem.EncodeToMemory(&pem.Block{Type: pemCertificate, Bytes: x.Raw})...)
	}
	return out
}

// serialNumber returns a random number of 158 bits: positive, never zero, and at most the 20
// bytes that a serial number may have (RFC 5280, 4.1.2.2). Two are never the same.
func serialNumber() *big.Int {
	const size = 20
	b := make([]byte, size)
	rand.Read(b)
	b[0] = b[0]&0x3F | 0x40
	return new(big.Int).SetBytes(b)
}

// keyID returns the certificate's subject key identifier, or what it would be by RFC 5280,
// 4.2.1.2, (1): the profile demands an authority key identifier of whoever issues.
func keyID(x *x509.Certificate) ([]byte, error) {
	if len(x.SubjectKeyId) > 0 {
		return x.SubjectKeyId, nil
	}
	var spki struct {
		Algorithm asn1.RawValue
		Key       asn1.BitString
	}
	if _, err := asn1.Unmarshal(x.RawSubjectPublicKeyInfo, &spki); err != nil {
		return nil, fmt.Errorf("parse the key of %q: %w", x.Subject, err)
	}
	sum := sha1.Sum(spki.Key.Bytes)
	return sum[:], nil
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
