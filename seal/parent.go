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

// Parent is the storage key under which a secret is sealed: at a persistent handle,
// or a primary key that is made from a template each time, and gone afterwards.
type Parent struct {
	Handle   Handle   `json:"handle,omitzero"`    // persistent; 0 with a Template
	Template Template `json:"template,omitempty"` // empty with a Handle
	Name     Name     `json:"name"`               // pinned: a key of another Name is refused
	// Public is the TPMT_PUBLIC as the TPM gave it. It is filled in by ReadParent,
	// EnsureSRK and MakeParent and not needed to unseal.
	Public []byte `json:"-"`
}

// where says where the key comes from.
func (p Parent) where() string {
	if p.Template != "" {
		return "template " + string(p.Template)
	}
	return p.Handle.String()
}

// check reports what is wrong with the parent's fields, but for a missing Name.
func (p Parent) check() error {
	switch {
	case p.Handle == 0 && p.Template == "":
		return errors.New("the parent has no handle and no template")
	case p.Handle != 0 && p.Template != "":
		return errors.New("the parent has a handle and a template")
	case p.Template != "":
		_, err := p.Template.public()
		return err
	}
	return nil
}

// key is a parent whose Name has been checked, ready for use. close must be called.
type key struct {
	handle   tpm2.TPMHandle
	template Template // of a key that close flushes
	name     tpm2.TPM2BName
	public   tpm2.TPMTPublic
}

func (k *key) String() string { return "the key at " + Handle(k.handle).String() }

// authorize returns the key as a command's handle, authorized by a session.
func (k *key) authorize(s tpm2.Session) tpm2.AuthHandle {
	return tpm2.AuthHandle{Handle: k.handle, Name: k.name, Auth: s}
}

func (k *key) parent() Parent {
	p := Parent{Template: k.template, Name: k.name.Buffer, Public: tpm2.Marshal(k.public)}
	if k.template == "" {
		p.Handle = Handle(k.handle)
	}
	return p
}

// close flushes a key that was made from a template: a TPM has room for three.
func (k *key) close(tpm transport.TPM) {
	if k.template != "" {
		flush(tpm, k.handle)
	}
}

// ReadParent returns the storage key at a persistent handle. Its Name is not
// compared with anything: the caller pins it. It fails with a [*ParentError]
// where there is no key, and refuses a key that is not a storage key of this TPM.
func ReadParent(tpm transport.TPM, h Handle) (Parent, error) {
	k, err := openParent(withPatience(tpm), Parent{Handle: h}, nil)
	if err != nil {
		return Parent{}, err
	}
	return k.parent(), nil
}

// MakeParent makes the primary key of the first template that the TPM knows the
// algorithm of, returns it and flushes it. Its Name is not compared with anything:
// the caller pins it. For systemd 252, which wants an RSA key only where the TPM has no
// ECC:
//
//	seal.MakeParent(tpm, nil, seal.SystemdECC, seal.SystemdRSA)
//
// The owner hierarchy's authValue is empty on most machines; where it is not, [Unseal]
// cannot make the key, and neither can systemd.
func MakeParent(tpm transport.TPM, ownerAuth []byte, templates ...Template) (Parent, error) {
	tpm = withPatience(tpm)
	if len(templates) == 0 {
		return Parent{}, errors.New("make a parent: no template")
	}
	var first error
	for _, t := range templates {
		k, err := openParent(tpm, Parent{Template: t}, ownerAuth)
		if err == nil {
			k.close(tpm)
			return k.parent(), nil
		}
		if first == nil {
			first = err
		}
		if !unknownAlgorithm(err) {
			break
		}
	}
	return Parent{}, first
}

// unknownAlgorithm reports whether a TPM has refused a template for what is in it.
func unknownAlgorithm(err error) bool {
	for _, rc := range []tpm2.TPMRC{tpm2.TPMRCType, tpm2.TPMRCCurve, tpm2.TPMRCAsymmetric, tpm2.TPMRCValue, tpm2.TPMRCScheme, tpm2.TPMRCKeySize} {
		if errors.Is(err, rc) {
			return true
		}
	}
	return false
}

// openParent reads the key at p.Handle or makes that of p.Template, recomputes its
// Name, and compares that with p.Name unless the latter is empty. Nothing has been
// sent to the TPM that depends on the key before this check. The caller closes it.
func openParent(tpm transport.TPM, p Parent, ownerAuth []byte) (*key, error) {
	if err := p.check(); err != nil {
		return nil, err
	}
	open := readKey
	if p.Template != "" {
		open = makeKey
	}
	k, said, err := open(tpm, p, ownerAuth)
	if err != nil {
		return nil, err
	}
	if err := k.check(p, said); err != nil {
		k.close(tpm)
		return nil, err
	}
	return k, nil
}

// readKey returns the key at a persistent handle, and the Name that the TPM says it has.
func readKey(tpm transport.TPM, p Parent, _ []byte) (*key, Name, error) {
	rsp, err := tpm2.ReadPublic{ObjectHandle: tpm2.TPMHandle(p.Handle)}.Execute(tpm)
	if errors.Is(err, tpm2.TPMRCHandle) {
		return nil, nil, &ParentError{Parent: p}
	}
	if err != nil {
		return nil, nil, fmt.Errorf("read the public area of %s: %w", p.Handle, err)
	}
	pub, err := rsp.OutPublic.Contents()
	if err != nil {
		return nil, nil, fmt.Errorf("parse the public area of %s: %w", p.Handle, err)
	}
	return &key{handle: tpm2.TPMHandle(p.Handle), public: *pub}, rsp.Name.Buffer, nil
}

// makeKey makes the key of a template.
func makeKey(tpm transport.TPM, p Parent, ownerAuth []byte) (*key, Name, error) {
	template, err := p.Template.public()
	if err != nil {
		return nil, nil, err
	}
	s, err := startSession(tpm, tpm2.TPMSEHMAC, nil, trimAuth(ownerAuth))
	if err != nil {
		return nil, nil, err
	}
	defer s.close(tpm)
	rsp, err := tpm2.CreatePrimary{
		PrimaryHandle: tpm2.AuthHandle{Handle: tpm2.TPMRHOwner, Auth: s.last()},
		InPublic:      tpm2.New2B(template),
	}.Execute(tpm)
	if err != nil {
		return nil, nil, fmt.Errorf("make the primary key of %s: %w", p.where(), explainOwner(err))
	}
	k := &key{handle: rsp.ObjectHandle, template: p.Template}
	pub, err := rsp.OutPublic.Contents()
	if err != nil {
		k.close(tpm)
		return nil, nil, fmt.Errorf("parse the public area of the primary key of %s: %w", p.where(), err)
	}
	k.public = *pub
	return k, rsp.Name.Buffer, nil
}

// check computes the key's Name and compares it with the pinned one and with what the
// TPM says, and has a look at what kind of key it is.
func (k *key) check(p Parent, said Name) error {
	name, err := tpm2.ObjectName(&k.public)
	if err != nil {
		return fmt.Errorf("compute the Name of the key of %s: %w", p.where(), err)
	}
	k.name = *name
	if len(p.Name) != 0 && !bytes.Equal(name.Buffer, p.Name) {
		return &ParentError{Parent: p, Have: name.Buffer}
	}
	if !bytes.Equal(name.Buffer, said) {
		return fmt.Errorf("the key of %s: its public area hashes to Name %x, the TPM says %s", p.where(), name.Buffer, said)
	}
	if err := checkStorageKey(&k.public); err != nil {
		return fmt.Errorf("the key of %s cannot be a parent: %w", p.where(), err)
	}
	if p.Template != "" {
		want, err := p.Template.public()
		if err != nil {
			return err
		}
		if !sameObject(want, k.public) {
			return fmt.Errorf("the TPM made another key than %s", p.where())
		}
	}
	return nil
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
// bytes in each coordinate there, which gives another key. Where the TPM has no ECC it
// is RSA 2048. An existing key is taken whatever its algorithm: clouds provision RSA ones.
func EnsureSRK(tpm transport.TPM, ownerAuth []byte) (srk Parent, created bool, err error) {
	tpm = withPatience(tpm)
	k, err := openParent(tpm, Parent{Handle: SRKHandle}, nil)
	var missing *ParentError
	if errors.As(err, &missing) {
		if err := createSRK(tpm, ownerAuth); err != nil {
			return Parent{}, false, fmt.Errorf("create a storage root key: %w", err)
		}
		created = true
		k, err = openParent(tpm, Parent{Handle: SRKHandle}, nil)
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
	primary, err := tpm2.CreatePrimary{PrimaryHandle: owner, InPublic: tpm2.New2B(srkTemplate(tpm2.TPMAlgECC))}.Execute(tpm)
	if unknownAlgorithm(err) {
		primary, err = tpm2.CreatePrimary{PrimaryHandle: owner, InPublic: tpm2.New2B(srkTemplate(tpm2.TPMAlgRSA))}.Execute(tpm)
	}
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

// flush frees a transient object. An error has no remedy and hides the caller's.
func flush(tpm transport.TPM, h tpm2.TPMHandle) {
	_, _ = tpm2.FlushContext{FlushHandle: h}.Execute(tpm)
}
