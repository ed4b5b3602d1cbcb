package bootchain

import (
	"bytes"
	"crypto"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/x509"
	"fmt"

	"github.com/bootseal/bootseal/internal/efivars"
	"github.com/bootseal/bootseal/pcr"
)

// maxChain bounds the way from a signer to the certificate that is trusted.
const maxChain = 8

// trusts reports whether a certificate is the signer's, or leads to it: what
// firmware and shim ask of an entry of their lists. Names and signatures count,
// validity periods do not.
func trusts(anchor []byte, s Signer) bool {
	if len(s.Chain) == 0 {
		return false
	}
	root, err := x509.ParseCertificate(trimDER(anchor))
	if err != nil {
		return bytes.Equal(trimDER(anchor), s.Chain[0])
	}
	var others []*x509.Certificate
	for _, der := range s.Chain[1:] {
		if c, err := x509.ParseCertificate(der); err == nil {
			others = append(others, c)
		}
	}
	at, err := x509.ParseCertificate(s.Chain[0])
	if err != nil {
		return bytes.Equal(root.Raw, s.Chain[0])
	}
	for range maxChain {
		if at.Equal(root) || issued(root, at) {
			return true
		}
		next := issuerOf(others, at)
		if next == nil || next.Equal(at) {
			return false
		}
		at = next
	}
	return false
}

func issuerOf(list []*x509.Certificate, c *x509.Certificate) *x509.Certificate {
	for _, parent := range list {
		if issued(parent, c) {
			return parent
		}
	}
	return nil
}

// issued reports whether parent signed c. Package x509 refuses SHA-1, which
// firmware accepts.
func issued(parent, c *x509.Certificate) bool {
	if !bytes.Equal(parent.RawSubject, c.RawIssuer) {
		return false
	}
	key, ok := parent.PublicKey.(*rsa.PublicKey)
	if c.SignatureAlgorithm == x509.SHA1WithRSA && ok {
		h := sha1.Sum(c.RawTBSCertificate)
		return rsa.VerifyPKCS1v15(key, crypto.SHA1, h[:], c.Signature) == nil
	}
	return parent.CheckSignature(c.SignatureAlgorithm, c.RawTBSCertificate, c.Signature) == nil
}

// trimDER cuts off the bytes that firmware pads certificates with.
func trimDER(b []byte) []byte {
	if len(b) >= 4 && b[0] == 0x30 && b[1] == 0x82 {
		if n := 4 + int(b[2])<<8 + int(b[3]); n <= len(b) {
			return b[:n]
		}
	}
	return b
}

// acceptedBy returns the first entry of a list that lets a program run. Hashes
// come after certificates where firmware decides, and before where shim does.
func (p *Program) acceptedBy(list []efivars.Entry, hashesFirst bool) (efivars.Entry, bool) {
	if hashesFirst {
		if e, ok := p.byHash(list); ok {
			return e, true
		}
	}
	for _, s := range p.Signers {
		for _, e := range list {
			if e.Kind == efivars.X509 && trusts(e.Data(), s) {
				return e, true
			}
		}
	}
	return p.byHash(list)
}

func (p *Program) byHash(list []efivars.Entry) (efivars.Entry, bool) {
	for _, e := range list {
		if e.Kind == efivars.SHA256 && bytes.Equal(e.Data(), p.Authenticode[pcr.SHA256]) ||
			e.Kind == efivars.SHA1 && bytes.Equal(e.Data(), p.Authenticode[pcr.SHA1]) {
			return e, true
		}
	}
	return efivars.Entry{}, false
}

// forbiddenBy says which entry of a list forbids a program, "" if none does.
func (p *Program) forbiddenBy(list []efivars.Entry) string {
	if _, ok := p.byHash(list); ok {
		return "its digest is in"
	}
	return p.signerForbiddenBy(list)
}

// signerForbiddenBy is forbiddenBy for the certificates of the program's signatures.
func (p *Program) signerForbiddenBy(list []efivars.Entry) string {
	for _, s := range p.Signers {
		for _, e := range list {
			switch {
			case e.Kind == efivars.X509 && trusts(e.Data(), s):
				return fmt.Sprintf("the certificate of %s, or the one above it, is in", s.Subject)
			case e.Kind == efivars.X509SHA256 && s.hasTBS(e.Data()):
				return fmt.Sprintf("a certificate of %s's signature is in", s.Subject)
			}
		}
	}
	return ""
}

// hasTBS reports whether the digest of one of the signature's certificates is in
// an entry, which goes on with a time of revocation.
func (s Signer) hasTBS(entry []byte) bool {
	for _, der := range s.Chain {
		c, err := x509.ParseCertificate(der)
		if err != nil || len(entry) < sha256.Size {
			continue
		}
		if h := sha256.Sum256(c.RawTBSCertificate); bytes.Equal(h[:], entry[:sha256.Size]) {
			return true
		}
	}
	return false
}
