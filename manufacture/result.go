package manufacture

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"fmt"
	"time"

	"github.com/bootseal/bootseal/pcr"
)

// Handle is a handle of a key or an NV index. It prints, and is written in JSON, as
// "0x81010001".
type Handle uint32

// String returns the handle in hex.
func (h Handle) String() string { return fmt.Sprintf("0x%08x", uint32(h)) }

// MarshalText writes the handle in hex.
func (h Handle) MarshalText() ([]byte, error) { return []byte(h.String()), nil }

// Result is what a TPM has been given.
type Result struct {
	Layout       Layout        `json:"layout"`
	TPM          Identity      `json:"tpm"`
	Keys         []Key         `json:"keys"`
	Certificates []Certificate `json:"certificates"`
	Templates    []Template    `json:"templates,omitempty"`
	PCRBanks     []pcr.Bank    `json:"pcrBanks,omitempty"` // active from the next power-on
}

// Key is a primary key that was made.
type Key struct {
	Role      Role   `json:"role"`
	Algorithm string `json:"algorithm"`
	Handle    Handle `json:"handle,omitzero"` // persistent; 0: it is made from its template when needed
	Name      Name   `json:"name"`
}

// Name is a TPM object's Name (Part 1, "Names"). It is written as hex.
type Name []byte

// MarshalText writes the Name in hex.
func (n Name) MarshalText() ([]byte, error) { return []byte(hex.EncodeToString(n)), nil }

// Template is an NV index with the template of a key, a TPMT_PUBLIC.
type Template struct {
	Role      Role   `json:"role"`
	Algorithm string `json:"algorithm"`
	Index     Handle `json:"index"`
}

// Certificate is an NV index with a certificate.
type Certificate struct {
	Role      Role      `json:"role"`
	Algorithm string    `json:"algorithm"` // of the certified key
	Index     Handle    `json:"index"`
	Subject   string    `json:"subject"`
	Issuer    string    `json:"issuer"`
	Serial    string    `json:"serial"` // hex
	NotAfter  time.Time `json:"notAfter"`
	SHA256    string    `json:"sha256"` // of the DER, hex
	Kept      bool      `json:"kept,omitempty"`
	DER       []byte    `json:"-"`
}

// describe fills in what the certificate itself says.
func (c *Certificate) describe(x *x509.Certificate) {
	sum := sha256.Sum256(x.Raw)
	c.Subject, c.Issuer = x.Subject.String(), x.Issuer.String()
	c.Serial, c.SHA256 = x.SerialNumber.Text(16), hex.EncodeToString(sum[:])
	c.NotAfter, c.DER = x.NotAfter, x.Raw
}
