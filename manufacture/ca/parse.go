package ca

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"time"
)

const (
	pemCertificate = "CERTIFICATE"
	pemKey         = "PRIVATE KEY"

	maxFile  = 64 << 10 // bytes of a PEM file
	maxChain = 8        // certificates in a chain
	minRSA   = 2048     // bits
)

// Parse returns a CA of a key and its chain of certificates, both PEM: PKCS #8, PKCS #1 or
// SEC 1, not encrypted; and the certificate of the key first, then those above it, each
// signed by the next. The root may be missing. All certificates must be CAs, and valid now.
func Parse(key, chain []byte) (*CA, error) {
	return parse(key, chain, time.Now)
}

func parse(key, chain []byte, now func() time.Time) (*CA, error) {
	signer, err := parseKey(key)
	if err != nil {
		return nil, fmt.Errorf("the CA's key: %w", err)
	}
	certificates, err := parseChain(chain, now())
	if err != nil {
		return nil, fmt.Errorf("the CA's certificates: %w", err)
	}
	public := signer.Public().(interface{ Equal(crypto.PublicKey) bool })
	if !public.Equal(certificates[0].PublicKey) {
		return nil, fmt.Errorf("the first certificate, %q, is not that of the CA's key", certificates[0].Subject)
	}
	return &CA{key: signer, chain: certificates, now: now}, nil
}

// parseKey returns the first private key of a PEM file.
func parseKey(data []byte) (crypto.Signer, error) {
	if len(data) > maxFile {
		return nil, fmt.Errorf("more than %d bytes", maxFile)
	}
	for {
		var block *pem.Block
		if block, data = pem.Decode(data); block == nil {
			return nil, errors.New("there is no private key in PEM")
		}
		defer clear(block.Bytes)
		var key any
		var err error
		switch block.Type {
		case "ENCRYPTED PRIVATE KEY":
			return nil, errEncrypted
		case pemKey:
			key, err = x509.ParsePKCS8PrivateKey(block.Bytes)
		case "RSA PRIVATE KEY":
			if block.Headers["DEK-Info"] != "" {
				return nil, errEncrypted
			}
			key, err = x509.ParsePKCS1PrivateKey(block.Bytes)
		case "EC PRIVATE KEY":
			if block.Headers["DEK-Info"] != "" {
				return nil, errEncrypted
			}
			key, err = x509.ParseECPrivateKey(block.Bytes)
		default: // parameters of a curve, certificates
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("parse it: %w", err)
		}
		return usable(key)
	}
}

var errEncrypted = errors.New("it is encrypted: decrypt it with `openssl pkey -in KEY -out PLAIN`, " +
	"and let the file's mode protect it")

// usable returns a key that certificates can be signed with.
func usable(key any) (crypto.Signer, error) {
	switch k := key.(type) {
	case *rsa.PrivateKey:
		if k.N.BitLen() < minRSA {
			return nil, fmt.Errorf("an RSA key of %d bits is too short: %d at least", k.N.BitLen(), minRSA)
		}
		return k, nil
	case *ecdsa.PrivateKey:
		return k, nil
	case ed25519.PrivateKey:
		return k, nil
	}
	return nil, fmt.Errorf("it is neither RSA nor EC nor Ed25519, but %T", key)
}

// parseChain returns the certificates of a PEM file, checked as a chain.
func parseChain(data []byte, now time.Time) ([]*x509.Certificate, error) {
	if len(data) > maxFile {
		return nil, fmt.Errorf("more than %d bytes", maxFile)
	}
	var chain []*x509.Certificate
	for {
		var block *pem.Block
		if block, data = pem.Decode(data); block == nil {
			break
		}
		if block.Type != pemCertificate {
			continue
		}
		if len(chain) == maxChain {
			return nil, fmt.Errorf("more than %d", maxChain)
		}
		x, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("parse number %d: %w", len(chain)+1, err)
		}
		chain = append(chain, x)
	}
	if len(chain) == 0 {
		return nil, errors.New("there is none in PEM")
	}
	for i, x := range chain {
		if err := checkCA(x, i, now); err != nil {
			return nil, fmt.Errorf("%q: %w", x.Subject, err)
		}
		if i+1 < len(chain) {
			if err := x.CheckSignatureFrom(chain[i+1]); err != nil {
				return nil, fmt.Errorf("%q is not signed by the next one, %q: %w", x.Subject, chain[i+1].Subject, err)
			}
		}
	}
	return chain, nil
}

// checkCA refuses a certificate that must not be above a TPM's with so many CAs between.
func checkCA(x *x509.Certificate, between int, now time.Time) error {
	switch {
	case !x.BasicConstraintsValid || !x.IsCA:
		return errors.New("it is not the certificate of a CA (basicConstraints CA:TRUE)")
	case x.KeyUsage != 0 && x.KeyUsage&x509.KeyUsageCertSign == 0:
		return errors.New("it must not sign certificates (keyUsage keyCertSign)")
	case x.MaxPathLen >= 0 && x.MaxPathLen < between && (x.MaxPathLen > 0 || x.MaxPathLenZero):
		return fmt.Errorf("it allows %d CAs below it (pathlen), and there are %d", x.MaxPathLen, between)
	case now.Before(x.NotBefore):
		return fmt.Errorf("it is valid only from %s", x.NotBefore.Format(time.DateOnly))
	case now.After(x.NotAfter):
		return fmt.Errorf("it has expired on %s", x.NotAfter.Format(time.DateOnly))
	}
	return nil
}

func encodeCertificate(x *x509.Certificate) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: pemCertificate, Bytes: x.Raw})
}

func encodeKey(key crypto.Signer) ([]byte, error) {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	defer clear(der)
	return pem.EncodeToMemory(&pem.Block{Type: pemKey, Bytes: der}), nil
}
