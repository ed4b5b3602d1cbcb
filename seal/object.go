package seal

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/google/go-tpm/tpm2"
	"github.com/google/go-tpm/tpm2/transport"
)

// Object is a sealed object as TPMs give it out.
type Object struct {
	Public  []byte // a TPMT_PUBLIC
	Private []byte // the buffer of a TPM2B_PRIVATE
	// Seed is the buffer of a TPM2B_ENCRYPTED_SECRET, where the object was made outside
	// the TPM and has to be imported first; otherwise nil.
	Seed []byte
}

// public parses and checks the object's public area.
func (o Object) public() (*tpm2.TPMTPublic, error) {
	pub, err := tpm2.Unmarshal[tpm2.TPMTPublic](o.Public)
	if err != nil {
		return nil, fmt.Errorf("sealed object: parse the public area: %w", err)
	}
	switch {
	case !bytes.Equal(tpm2.Marshal(pub), o.Public):
		return nil, errors.New("sealed object: the public area is not in canonical form")
	case pub.Type != tpm2.TPMAlgKeyedHash:
		return nil, fmt.Errorf("sealed object: its type is 0x%04x: want TPM_ALG_KEYEDHASH", uint16(pub.Type))
	case len(o.Private) == 0:
		return nil, errors.New("sealed object: the private area is missing")
	}
	return pub, nil
}

// load loads the object into the TPM. The caller flushes it.
func (o Object) load(tpm transport.TPM, k *key) (*key, error) {
	pub, err := o.public()
	if err != nil {
		return nil, err
	}
	name, err := tpm2.ObjectName(pub)
	if err != nil {
		return nil, fmt.Errorf("sealed object: %w", err)
	}
	private := tpm2.TPM2BPrivate{Buffer: o.Private}
	if o.Seed != nil {
		if private, err = o.importUnder(tpm, k, pub); err != nil {
			return nil, err
		}
	}
	// A password, which is empty, and no session: that would cost the TPM a private key
	// operation more, and vouch for nothing. The HMAC of TPM2_Unseal covers the Name of what
	// is unsealed.
	rsp, err := tpm2.Load{
		ParentHandle: k.authorize(tpm2.PasswordAuth(nil)),
		InPrivate:    private,
		InPublic:     tpm2.New2B(*pub),
	}.Execute(tpm)
	if err != nil {
		return nil, explainParent("load the sealed object", err)
	}
	if !bytes.Equal(rsp.Name.Buffer, name.Buffer) {
		flush(tpm, rsp.ObjectHandle)
		return nil, fmt.Errorf("load the sealed object: the TPM loaded one with Name %x: want %x", rsp.Name.Buffer, name.Buffer)
	}
	return &key{handle: rsp.ObjectHandle, name: rsp.Name, public: *pub}, nil
}

// importUnder has the TPM wrap an object that was encrypted to the parent.
func (o Object) importUnder(tpm transport.TPM, k *key, pub *tpm2.TPMTPublic) (private tpm2.TPM2BPrivate, err error) {
	rsp, err := tpm2.Import{
		ParentHandle: k.authorize(tpm2.PasswordAuth(nil)),
		ObjectPublic: tpm2.New2B(*pub),
		Duplicate:    tpm2.TPM2BPrivate{Buffer: o.Private},
		InSymSeed:    tpm2.TPM2BEncryptedSecret{Buffer: o.Seed},
		Symmetric:    tpm2.TPMTSymDef{Algorithm: tpm2.TPMAlgNull},
	}.Execute(tpm)
	if err != nil {
		return private, explainParent("import the sealed object", err)
	}
	return rsp.OutPrivate, nil
}
