package seal

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/google/go-tpm/tpm2"
)

// MaxSecret is the largest secret in bytes (Part 2, "TPMU_SENSITIVE_CREATE":
// MAX_SYM_DATA should be 128).
const MaxSecret = 128

// sealedVersion is the version of [Sealed]'s encoding.
const sealedVersion = 1

// Sealed is a sealed secret and all that is needed to open it again with the TPM
// that sealed it. It holds nothing secret and is meant to be stored as JSON.
type Sealed struct {
	Version int    `json:"version"`
	Parent  Parent `json:"parent"`
	Policy  Policy `json:"policy"`
	// PINSalt is the salt of the PIN's derivation; empty without a PIN, or with
	// Options.UnsaltedPIN.
	PINSalt []byte `json:"pin_salt,omitempty"`
	// Public and Private are the object: a TPMT_PUBLIC and the buffer of a
	// TPM2B_PRIVATE, both without a size in front.
	Public  []byte `json:"public"`
	Private []byte `json:"private"`
}

// Name returns the Name of the sealed object. It fails where Public is damaged.
func (s *Sealed) Name() (Name, error) {
	pub, err := s.public()
	if err != nil {
		return nil, err
	}
	name, err := tpm2.ObjectName(pub)
	if err != nil {
		return nil, fmt.Errorf("sealed object: %w", err)
	}
	return name.Buffer, nil
}

// Check reports what is wrong with the data, as far as that can be seen without a
// TPM: above all, whether the object really has the policy that stands beside it.
func (s *Sealed) Check() error {
	if s.Version != sealedVersion {
		return fmt.Errorf("sealed object: version %d: want %d", s.Version, sealedVersion)
	}
	if len(s.Parent.Name) == 0 {
		return errors.New("sealed object: the parent's Name is missing")
	}
	if err := s.Parent.check(); err != nil {
		return fmt.Errorf("sealed object: %w", err)
	}
	pub, err := s.public()
	if err != nil {
		return err
	}
	want, err := Digest(s.Policy)
	if err != nil {
		return fmt.Errorf("sealed object: %w", err)
	}
	if have := pub.AuthPolicy.Buffer; !bytes.Equal(have, want) {
		return fmt.Errorf("sealed object: its policy digest is %x, that of the policy stored beside it %x", have, want)
	}
	return nil
}

// public parses and checks the object's public area.
func (s *Sealed) public() (*tpm2.TPMTPublic, error) {
	pub, err := Object{Public: s.Public, Private: s.Private}.public()
	if err != nil {
		return nil, err
	}
	if pub.NameAlg != policyHash {
		return nil, fmt.Errorf("sealed object: its Name algorithm is 0x%04x: want TPM_ALG_SHA256", uint16(pub.NameAlg))
	}
	return pub, nil
}

// sealedTemplate is the public area of a sealed object, the same as systemd's: it
// cannot leave the TPM, and only the policy opens it (no userWithAuth). With a PIN
// it is under dictionary attack protection, without one there is nothing to guess.
func sealedTemplate(authPolicy []byte, pin bool) tpm2.TPMTPublic {
	return tpm2.TPMTPublic{
		Type:    tpm2.TPMAlgKeyedHash,
		NameAlg: policyHash,
		ObjectAttributes: tpm2.TPMAObject{
			FixedTPM:    true,
			FixedParent: true,
			NoDA:        !pin,
		},
		AuthPolicy: tpm2.TPM2BDigest{Buffer: authPolicy},
		Parameters: tpm2.NewTPMUPublicParms(tpm2.TPMAlgKeyedHash, &tpm2.TPMSKeyedHashParms{
			Scheme: tpm2.TPMTKeyedHashScheme{Scheme: tpm2.TPMAlgNull},
		}),
		Unique: tpm2.NewTPMUPublicID(tpm2.TPMAlgKeyedHash, &tpm2.TPM2BDigest{}),
	}
}

// sameObject reports whether a TPM made what the template asked for: everything
// but unique, which is the TPM's to fill in.
func sameObject(template, made tpm2.TPMTPublic) bool {
	made.Unique = template.Unique
	return bytes.Equal(tpm2.Marshal(template), tpm2.Marshal(made))
}
