package seal_test

import (
	"bytes"
	"testing"

	"github.com/bootseal/bootseal/seal"
	"github.com/google/go-tpm/tpm2"
	"github.com/google/go-tpm/tpm2/transport"
)

// clevis without PCRs makes objects without a policy. They are opened, encrypted on the
// bus as any, and only where nothing else is claimed of them.
func TestObjectWithoutPolicy(t *testing.T) {
	tpm := open(t)
	parent, err := seal.MakeParent(tpm, nil, "clevis-ecc-sha256")
	if err != nil {
		t.Fatal(err)
	}
	s := asClevis(t, tpm, parent)
	wire := &bus{tpm: tpm}
	got, err := seal.Unseal(wire, s, nil)
	if err != nil || !bytes.Equal(got, secret) {
		t.Fatalf("%q, %v", got, err)
	}
	if bytes.Contains(wire.seen.Bytes(), secret) {
		t.Error("the secret is on the bus")
	}
	nothingLoaded(t, tpm)
	bound := *s
	bound.Policy = policy(predicted(t, "", "firmware", "kernel"))
	if err := bound.Check(); err == nil {
		t.Error("an object without a policy passes for one with PCRs")
	}
}

// asClevis makes the object that tpm2_create -a
// fixedtpm|fixedparent|noda|adminwithpolicy|userwithauth makes.
func asClevis(t *testing.T, tpm transport.TPM, parent seal.Parent) *seal.Sealed {
	t.Helper()
	primary, err := tpm2.Unmarshal[tpm2.TPMTPublic](parent.Public)
	if err != nil {
		t.Fatal(err)
	}
	template := *primary
	template.Unique = tpm2.NewTPMUPublicID(tpm2.TPMAlgECC, &tpm2.TPMSECCPoint{})
	key, err := tpm2.CreatePrimary{PrimaryHandle: tpm2.TPMRHOwner, InPublic: tpm2.New2B(template)}.Execute(tpm)
	if err != nil {
		t.Fatal(err)
	}
	defer tpm2.FlushContext{FlushHandle: key.ObjectHandle}.Execute(tpm)
	made, err := tpm2.Create{
		ParentHandle: tpm2.AuthHandle{Handle: key.ObjectHandle, Name: key.Name, Auth: tpm2.PasswordAuth(nil)},
		InSensitive: tpm2.TPM2BSensitiveCreate{Sensitive: &tpm2.TPMSSensitiveCreate{
			Data: tpm2.NewTPMUSensitiveCreate(&tpm2.TPM2BSensitiveData{Buffer: secret}),
		}},
		InPublic: tpm2.New2B(tpm2.TPMTPublic{
			Type: tpm2.TPMAlgKeyedHash, NameAlg: tpm2.TPMAlgSHA256,
			ObjectAttributes: tpm2.TPMAObject{FixedTPM: true, FixedParent: true, NoDA: true, AdminWithPolicy: true, UserWithAuth: true},
		}),
	}.Execute(tpm)
	if err != nil {
		t.Fatal(err)
	}
	return &seal.Sealed{Version: 1, Parent: parent, Policy: policy(seal.Branch{}),
		Public: made.OutPublic.Bytes(), Private: made.OutPrivate.Buffer}
}
