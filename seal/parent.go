package seal

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"

	"github.com/google/go-tpm/tpm2"
	"github.com/google/go-tpm/tpm2/transport"
)

// SRKHandle is the persistent handle of the storage root key (TCG TPM v2.0
// Provisioning Guidance, "Reserved Handles for TPM Provisioning Fundamental
// Elements").
const SRKHandle Handle = 0x81000001

// Handle is a TPM handle. It prints, and is written in JSON, as "0x81000001".
type Handle uint32

// String returns the handle in hex.
func (h Handle) String() string { return fmt.Sprintf("0x%08x", uint32(h)) }

// MarshalText writes the handle in hex.
func (h Handle) MarshalText() ([]byte, error) { return []byte(h.String()), nil }

// UnmarshalText reads a number in any base that Go's literals have.
func (h *Handle) UnmarshalText(text []byte) error {
	n, err := strconv.ParseUint(string(text), 0, 32)
	if err != nil {
		return fmt.Errorf("%q is not a TPM handle", text)
	}
	*h = Handle(n)
	return nil
}

// Name identifies an object of a TPM: its nameAlg and the hash of its public
// area (Part 1, "Names"). It prints, and is written in JSON, as hex.
type Name []byte

// String returns the Name in hex.
func (n Name) String() string { return hex.EncodeToString(n) }

// MarshalText writes the Name in hex.
func (n Name) MarshalText() ([]byte, error) { return []byte(n.String()), nil }

// UnmarshalText reads hex.
func (n *Name) UnmarshalText(text []byte) error {
	b, err := hex.DecodeString(string(text))
	if err != nil {
		return fmt.Errorf("%q is not a TPM Name in hex", text)
	}
	*n = b
	return nil
}

// Parent is the storage key under which a secret is sealed.
type Parent struct {
	Handle Handle `json:"handle"` // persistent
	Name   Name   `json:"name"`   // pinned: a key of another Name is refused
	// Public is the TPMT_PUBLIC as the TPM gave it. It is filled in by ReadParent
	// and EnsureSRK and not needed to unseal.
	Public []byte `json:"-"`
}

// key is a parent whose Name has been checked, ready for use.
type key struct {
	handle tpm2.TPMHandle
	name   tpm2.TPM2BName
	public tpm2.TPMTPublic
}

func (k *key) String() string { return "the key at " + Handle(k.handle).String() }

// authorize returns the key as a command's handle, authorized by a session.
func (k *key) authorize(s tpm2.Session) tpm2.AuthHandle {
	return tpm2.AuthHandle{Handle: k.handle, Name: k.name, Auth: s}
}

func (k *key) parent() Parent {
	return Parent{Handle: Handle(k.handle), Name: k.name.Buffer, Public: tpm2.Marshal(k.public)}
}

// ReadParent returns the storage key at a persistent handle. Its Name is not
// compared with anything: the caller pins it. It fails with a [*ParentError]
// where there is no key, and refuses a key that is not a storage key of this TPM.
func ReadParent(tpm transport.TPM, h Handle) (Parent, error) {
	k, err := openParent(withPatience(tpm), Parent{Handle: h})
	if err != nil {
		return Parent{}, err
	}
	return k.parent(), nil
}

// openParent reads the key at p.Handle, recomputes its Name, and compares that
// with p.Name unless the latter is empty. Nothing has been sent to the TPM that
// depends on the key before this check.
func openParent(tpm transport.TPM, p Parent) (*key, error) {
	rsp, err := tpm2.ReadPublic{ObjectHandle: tpm2.TPMHandle(p.Handle)}.Execute(tpm)
	if errors.Is(err, tpm2.TPMRCHandle) {
		return nil, &ParentError{Handle: p.Handle, Want: p.Name}
	}
	if err != nil {
		return nil, fmt.Errorf("read the public area of %s: %w", p.Handle, err)
	}
	pub, err := rsp.OutPublic.Contents()
	if err != nil {
		return nil, fmt.Errorf("parse the public area of %s: %w", p.Handle, err)
	}
	name, err := tpm2.ObjectName(pub)
	if err != nil {
		return nil, fmt.Errorf("compute the Name of %s: %w", p.Handle, err)
	}
	if len(p.Name) != 0 && !bytes.Equal(name.Buffer, p.Name) {
		return nil, &ParentError{Handle: p.Handle, Want: p.Name, Have: name.Buffer}
	}
	if !bytes.Equal(name.Buffer, rsp.Name.Buffer) {
		return nil, fmt.Errorf("the key at %s: its public area hashes to Name %x, the TPM says %x",
			p.Handle, name.Buffer, rsp.Name.Buffer)
	}
	if err := checkStorageKey(pub); err != nil {
		return nil, fmt.Errorf("the key at %s cannot be a parent: %w", p.Handle, err)
	}
	return &key{handle: tpm2.TPMHandle(p.Handle), name: *name, public: *pub}, nil
}

// checkStorageKey reports why a key must not hold secrets: it has to be a storage
// key (restricted, decrypt) that was made in the TPM and cannot leave it.
func checkStorageKey(pub *tpm2.TPMTPublic) error {
	a := pub.ObjectAttributes
	switch {
	case pub.Type != tpm2.TPMAlgECC && pub.Type != tpm2.TPMAlgRSA:
		return fmt.Errorf("its type is 0x%04x, neither ECC nor RSA", uint16(pub.Type))
	case !a.Restricted || !a.Decrypt || a.SignEncrypt:
		return errors.New("it is not a storage key (restricted, decrypt)")
	case !a.FixedTPM || !a.FixedParent || !a.SensitiveDataOrigin:
		return errors.New("it was not made in this TPM or can leave it (fixedTPM, fixedParent, sensitiveDataOrigin)")
	case !a.UserWithAuth:
		return errors.New("it needs a policy (no userWithAuth)")
	}
	return nil
}

// EnsureSRK returns the storage root key at [SRKHandle] and creates it if there
// is none; created says so. The owner hierarchy's authValue is only needed for
// that, and is empty on most machines.
//
// The key is ECC P-256 with AES-128-CFB, SHA-256 and noDA after template L-2 of
// the TCG EK Credential Profile as the Provisioning Guidance changes it, with an
// empty unique field, as systemd makes it. go-tpm's ECCSRKTemplate has 32 zero
// bytes in each coordinate there, which gives another key. An existing key is
// taken whatever its algorithm: clouds provision RSA ones.
func EnsureSRK(tpm transport.TPM, ownerAuth []byte) (srk Parent, created bool, err error) {
	tpm = withPatience(tpm)
	k, err := openParent(tpm, Parent{Handle: SRKHandle})
	var missing *ParentError
	if errors.As(err, &missing) {
		if err := createSRK(tpm, ownerAuth); err != nil {
			return Parent{}, false, fmt.Errorf("create a storage root key: %w", err)
		}
		created = true
		k, err = openParent(tpm, Parent{Handle: SRKHandle})
	}
	if err != nil {
		return Parent{}, false, err
	}
	return k.parent(), created, nil
}

func createSRK(tpm transport.TPM, ownerAuth []byte) error {
	s, err := startSession(tpm, tpm2.TPMSEHMAC, nil, trimAuth(ownerAuth))
	if err != nil {
		return err
	}
	defer s.close(tpm)
	owner := tpm2.AuthHandle{Handle: tpm2.TPMRHOwner, Auth: s}
	primary, err := tpm2.CreatePrimary{
		PrimaryHandle: owner,
		InPublic:      tpm2.New2B(srkTemplate()),
	}.Execute(tpm)
	if err != nil {
		return explainOwner(err)
	}
	defer flush(tpm, primary.ObjectHandle)
	_, err = tpm2.EvictControl{
		Auth:             owner,
		ObjectHandle:     &tpm2.NamedHandle{Handle: primary.ObjectHandle, Name: primary.Name},
		PersistentHandle: tpm2.TPMHandle(SRKHandle),
	}.Execute(tpm)
	if errors.Is(err, tpm2.TPMRCNVDefined) {
		return nil // somebody else was faster, with the same template or a better claim
	}
	return explainOwner(err)
}

func explainOwner(err error) error {
	if errors.Is(err, tpm2.TPMRCBadAuth) || errors.Is(err, tpm2.TPMRCAuthFail) {
		return fmt.Errorf("the owner hierarchy's password is wrong or missing: %w", err)
	}
	return err
}

func srkTemplate() tpm2.TPMTPublic {
	return tpm2.TPMTPublic{
		Type:    tpm2.TPMAlgECC,
		NameAlg: tpm2.TPMAlgSHA256,
		ObjectAttributes: tpm2.TPMAObject{
			FixedTPM:            true,
			FixedParent:         true,
			SensitiveDataOrigin: true,
			UserWithAuth:        true,
			NoDA:                true,
			Restricted:          true,
			Decrypt:             true,
		},
		Parameters: tpm2.NewTPMUPublicParms(tpm2.TPMAlgECC, &tpm2.TPMSECCParms{
			Symmetric: tpm2.TPMTSymDefObject{
				Algorithm: tpm2.TPMAlgAES,
				KeyBits:   tpm2.NewTPMUSymKeyBits(tpm2.TPMAlgAES, tpm2.TPMKeyBits(128)),
				Mode:      tpm2.NewTPMUSymMode(tpm2.TPMAlgAES, tpm2.TPMAlgCFB),
			},
			CurveID: tpm2.TPMECCNistP256,
		}),
		Unique: tpm2.NewTPMUPublicID(tpm2.TPMAlgECC, &tpm2.TPMSECCPoint{}),
	}
}

// flush frees a transient object. An error has no remedy and hides the caller's.
func flush(tpm transport.TPM, h tpm2.TPMHandle) {
	_, _ = tpm2.FlushContext{FlushHandle: h}.Execute(tpm)
}
