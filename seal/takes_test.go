package seal_test

import (
	"bytes"
	"errors"
	"testing"

	"github.com/bootseal/bootseal/pcr"
	"github.com/bootseal/bootseal/seal"
	"github.com/google/go-tpm/tpm2"
)

// Whether the TPM takes an object can be told at any boot, and costs nothing.
func TestTakes(t *testing.T) {
	tpm := open(t)
	transient, err := seal.MakeParent(tpm, nil, seal.SystemdECC)
	if err != nil {
		t.Fatal(err)
	}
	for name, parent := range map[string]seal.Parent{"the SRK": {}, "a template": transient} {
		other := seal.Policy{Bank: pcr.SHA256, Branches: []seal.Branch{{PCRs: map[int]pcr.Digest{4: bytes.Repeat([]byte{7}, 32)}}}, PIN: true}
		s, err := seal.Seal(tpm, seal.Options{Secret: []byte("secret"), Policy: other, PIN: []byte("1234"), Parent: parent})
		if err != nil {
			t.Fatal(err)
		}
		if err := seal.Takes(tpm, s); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		s.Parent.Name = nil
		if err := seal.Takes(tpm, s); err != nil {
			t.Errorf("%s, its Name not known: %v", name, err)
		}
		damaged := *s
		damaged.Private = bytes.Clone(s.Private)
		damaged.Private[len(damaged.Private)-1] ^= 1
		var foreign *seal.ForeignError
		if err := seal.Takes(tpm, &damaged); !errors.As(err, &foreign) {
			t.Errorf("%s, a damaged object: %v", name, err)
		}
		var no *seal.ParentError
		pinned := *s
		pinned.Parent.Name = append(seal.Name{0, 0x0B}, make([]byte, 32)...)
		if err := seal.Takes(tpm, &pinned); !errors.As(err, &no) {
			t.Errorf("%s, another parent pinned: %v", name, err)
		}
		fresh := open(t)
		if err := seal.Takes(fresh, s); !errors.As(err, &foreign) && !errors.As(err, &no) {
			t.Errorf("%s, another TPM: %v", name, err)
		}
		rsp, err := tpm2.GetCapability{Capability: tpm2.TPMCapHandles, Property: 0x80000000, PropertyCount: 8}.Execute(tpm)
		if err != nil {
			t.Fatal(err)
		}
		if left, err := rsp.CapabilityData.Data.Handles(); err != nil || len(left.Handle) != 0 {
			t.Errorf("%s: left in the TPM: %v, %v", name, left, err)
		}
	}
}
