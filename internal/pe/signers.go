package pe

import (
	"bytes"
	"crypto/sha256"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/binary"
	"errors"
	"fmt"
	"math/big"
	"strings"
	"unicode"
)

const (
	maxCertificates  = 1 << 20 // bytes of the certificate table
	certHeaderSize   = 8       // dwLength, wRevision, wCertificateType
	certTypePKCS7    = 2       // WIN_CERT_TYPE_PKCS_SIGNED_DATA
	certificateAlign = 8
)

// Signer is a certificate that a signature of the program was made with. Nothing
// is verified: it says who claims to have signed.
type Signer struct {
	Subject string   // one printable line: the common name, or all of the name
	SHA256  [32]byte // of the certificate
	// Chain are the certificates that came with the signature, in DER: the
	// signer's first, then the others in the order of the signature.
	Chain [][]byte
}

// Signers returns the signer of each signature, in the order of the certificate
// table; none for a program that is not signed. A table that cannot be read is
// an error, which leaves the digest as good as it was.
func (f *File) Signers() ([]Signer, error) {
	if f.certs.size > maxCertificates {
		return nil, fmt.Errorf("certificate table of %d bytes: more than %d", f.certs.size, maxCertificates)
	}
	table := make([]byte, f.certs.size)
	if err := readAt(f.r, table, f.certs.off); len(table) > 0 && err != nil {
		return nil, err
	}
	var out []Signer
	for len(table) >= certHeaderSize {
		n := int64(binary.LittleEndian.Uint32(table))
		if n < certHeaderSize || n > int64(len(table)) {
			return nil, fmt.Errorf("certificate table: entry of %d bytes, %d are left", n, len(table))
		}
		if binary.LittleEndian.Uint16(table[6:]) == certTypePKCS7 {
			signers, err := parseSignedData(table[certHeaderSize:n])
			if err != nil {
				return nil, fmt.Errorf("signature: %w", err)
			}
			out = append(out, signers...)
		}
		table = table[min(int64(len(table)), (n+certificateAlign-1)/certificateAlign*certificateAlign):]
	}
	return out, nil
}

// The parts of CMS that name the signer (RFC 5652, sections 3, 5.1 and 5.3).
type (
	contentInfo struct {
		Type    asn1.ObjectIdentifier
		Content asn1.RawValue `asn1:"explicit,tag:0"`
	}
	signedData struct {
		Version      int
		Digests      asn1.RawValue
		Content      asn1.RawValue
		Certificates asn1.RawValue `asn1:"optional,tag:0"`
		Revoked      asn1.RawValue `asn1:"optional,tag:1"`
		SignerInfos  []signerInfo  `asn1:"set"`
	}
	signerInfo struct {
		Version int
		ID      issuerAndSerial
		Rest    asn1.RawValue // the digest's algorithm; what follows is not needed
	}
	issuerAndSerial struct {
		Issuer asn1.RawValue
		Serial *big.Int
	}
	// certificate is as much of RFC 5280's as tells certificates apart. Package
	// x509 refuses some that are in use.
	certificate struct {
		TBS struct {
			Raw       asn1.RawContent
			Version   int `asn1:"optional,explicit,default:0,tag:0"`
			Serial    *big.Int
			Algorithm asn1.RawValue
			Issuer    asn1.RawValue
			Validity  asn1.RawValue
			Subject   asn1.RawValue
		}
	}
)

var errNoSigner = errors.New("the signer's certificate is not in it")

func parseSignedData(der []byte) ([]Signer, error) {
	var info contentInfo
	if _, err := asn1.Unmarshal(der, &info); err != nil {
		return nil, err
	}
	var signed signedData
	if _, err := asn1.Unmarshal(info.Content.Bytes, &signed); err != nil {
		return nil, err
	}
	var out []Signer
	for _, s := range signed.SignerInfos {
		signer, err := findSigner(signed.Certificates.Bytes, s.ID)
		if err != nil {
			return nil, err
		}
		out = append(out, signer)
	}
	return out, nil
}

// findSigner returns the certificate with the given issuer and serial number.
func findSigner(certificates []byte, id issuerAndSerial) (Signer, error) {
	for rest := certificates; len(rest) > 0; {
		var raw asn1.RawValue
		var err error
		if rest, err = asn1.Unmarshal(rest, &raw); err != nil {
			return Signer{}, err
		}
		var c certificate
		if _, err := asn1.Unmarshal(raw.FullBytes, &c); err != nil {
			return Signer{}, fmt.Errorf("certificate: %w", err)
		}
		if id.Serial == nil || c.TBS.Serial == nil || id.Serial.Cmp(c.TBS.Serial) != 0 ||
			!bytes.Equal(id.Issuer.FullBytes, c.TBS.Issuer.FullBytes) {
			continue
		}
		return Signer{Subject: commonName(c.TBS.Subject.FullBytes), SHA256: sha256.Sum256(raw.FullBytes),
			Chain: chain(certificates, raw.FullBytes)}, nil
	}
	return Signer{}, errNoSigner
}

// chain returns all certificates, the signer's first.
func chain(certificates, signer []byte) [][]byte {
	out := [][]byte{signer}
	for rest := certificates; len(rest) > 0; {
		var raw asn1.RawValue
		var err error
		if rest, err = asn1.Unmarshal(rest, &raw); err != nil {
			break
		}
		if !bytes.Equal(raw.FullBytes, signer) {
			out = append(out, raw.FullBytes)
		}
	}
	return out
}

func commonName(der []byte) string {
	var rdn pkix.RDNSequence
	if _, err := asn1.Unmarshal(der, &rdn); err != nil {
		return "unreadable name"
	}
	var name pkix.Name
	name.FillFromRDNSequence(&rdn)
	text := name.CommonName
	if text == "" {
		text = rdn.String()
	}
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return '?'
		}
		return r
	}, text)
}
