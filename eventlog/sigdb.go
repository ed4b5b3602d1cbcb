package eventlog

import (
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"fmt"
	"strings"
)

// Signature is an entry of a signature list: a certificate or a hash that Secure
// Boot allows or forbids (UEFI specification, EFI_SIGNATURE_DATA).
type Signature struct {
	Type    string `json:"type"` // "x509", "sha256", or a GUID
	Owner   *GUID  `json:"owner,omitempty"`
	Subject string `json:"subject,omitempty"` // of a certificate
	Hash    string `json:"hash"`              // hex: the entry itself, or SHA-256 of a certificate
	Size    int    `json:"size"`              // of the entry without its owner, bytes
}

// String names the certificate's subject, or the hash.
func (s Signature) String() string {
	switch {
	case s.Subject != "":
		return "certificate " + quote(s.Subject)
	case s.Type == "x509":
		return "certificate that cannot be read"
	}
	return s.Type + " hash " + clipHex(s.Hash)
}

func clipHex(s string) string {
	if len(s) > 16 {
		return s[:16] + "..."
	}
	return s
}

func newSignature(typ string, owner *GUID, data []byte) Signature {
	s := Signature{Type: typ, Owner: owner, Size: len(data)}
	if typ == "x509" {
		s.Subject = certSubject(data)
		s.Hash = fmt.Sprintf("%x", sha256.Sum256(data))
		return s
	}
	s.Hash = fmt.Sprintf("%x", data)
	return s
}

// certSubject returns the common name of a DER certificate, its whole subject
// without one, or "" for data that is no certificate.
func certSubject(der []byte) string {
	// Firmware pads certificates: the outermost length says where they end.
	if n := derLength(der); n > 0 && n < len(der) {
		der = der[:n]
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return ""
	}
	if cert.Subject.CommonName != "" {
		return cert.Subject.CommonName
	}
	return cert.Subject.String()
}

// derLength returns the size of the DER sequence at the start of b with its
// header, or 0. Certificates have a length of two bytes.
func derLength(b []byte) int {
	if len(b) < 4 || b[0] != 0x30 || b[1] != 0x82 {
		return 0
	}
	return 4 + int(b[2])<<8 + int(b[3])
}

func signatureTypeName(g GUID) string {
	switch g.String() {
	case guidCertX509:
		return "x509"
	case guidCertSHA256:
		return "sha256"
	case "826ca512-cf10-4ac9-b187-be01496631bd":
		return "sha1"
	case "ff3e5307-9fd0-48c9-85f1-8ad56c701e01":
		return "sha384"
	case "093e0fae-a6c4-4f50-9f1b-d41e2b89c19a":
		return "sha512"
	case "3c5766e8-269c-4e34-aa14-ed776e85b3b6":
		return "rsa2048"
	case "3bd2a492-96c0-4079-b420-fcf98ef103ed":
		return "x509-sha256"
	case "452e8ced-dfff-4b8c-ae01-5118862e682c":
		return "external-management"
	}
	return g.String()
}

// parseSignatureLists reads a sequence of EFI_SIGNATURE_LIST.
func parseSignatureLists(b []byte) ([]Signature, error) {
	sigs := []Signature{}
	for len(b) > 0 {
		c := cursor{buf: b}
		typ, listSize := signatureTypeName(c.guid()), c.u32()
		headerSize, sigSize := c.u32(), c.u32()
		c.bytes(uint64(headerSize))
		if c.short || sigSize < 16 || uint64(listSize) > uint64(len(b)) || uint64(listSize) < uint64(c.off) {
			return nil, errors.New("not a signature list")
		}
		list := cursor{buf: b[c.off:listSize]}
		for list.left() >= int(sigSize) {
			owner := list.guid()
			sigs = append(sigs, newSignature(typ, &owner, list.bytes(uint64(sigSize)-16)))
		}
		if list.left() != 0 {
			return nil, errors.New("not a signature list")
		}
		b = b[listSize:]
	}
	return sigs, nil
}

// authoritySignature reads the data of an EV_EFI_VARIABLE_AUTHORITY event: the
// owner and a certificate or hash, or (shim before 15.3, and shim's own key
// before 15.7) the certificate alone. It returns nil for another form.
func authoritySignature(data []byte) []Signature {
	if derLength(data) != 0 && certSubject(data) != "" {
		return []Signature{newSignature("x509", nil, data)}
	}
	if len(data) <= 16 {
		return nil
	}
	owner, entry := GUID(data[:16]), data[16:]
	switch {
	case derLength(entry) != 0:
		return []Signature{newSignature("x509", &owner, entry)}
	case len(entry) == sha256.Size:
		return []Signature{newSignature("sha256", &owner, entry)}
	}
	return nil
}

// signaturesText lists certificates by subject and counts the rest.
func signaturesText(sigs []Signature) string {
	var certs []string
	others := map[string]int{}
	var order []string
	for _, s := range sigs {
		if s.Type == "x509" {
			certs = append(certs, s.String())
			continue
		}
		if others[s.Type] == 0 {
			order = append(order, s.Type)
		}
		others[s.Type]++
	}
	const most = 4
	if len(certs) > most {
		certs = append(certs[:most:most], fmt.Sprintf("%d more certificates", len(certs)-most))
	}
	for _, t := range order {
		certs = append(certs, count(others[t], t+" hash", t+" hashes"))
	}
	if len(certs) == 0 {
		return "empty"
	}
	return strings.Join(certs, ", ")
}
