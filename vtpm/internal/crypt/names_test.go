package crypt_test

import (
	"bytes"
	"testing"

	"github.com/google/go-tpm/tpm2"

	"github.com/bootseal/bootseal/vtpm/internal/crypt"
	"github.com/bootseal/bootseal/vtpm/internal/wire"
)

// The client computes the same Name from the same bytes, for every type.
func TestObjectNameAgainstGoTPM(t *testing.T) {
	for name, k := range map[string]testKey{
		"RSA": rsa2048(t), "ECC": eccKey(t, wire.CurveNISTP384, 1),
		"HMAC": hmacKey(wire.AlgSHA1, []byte("k")), "AES": aesKey(make([]byte, 16)),
	} {
		for alg := range goHash {
			pub := *k.pub
			pub.NameAlg = alg
			want, err := tpm2.ObjectName(client(t, &pub))
			if err != nil {
				t.Fatal(err)
			}
			if got := crypt.ObjectName(&pub); !bytes.Equal(got, want.Buffer) {
				t.Errorf("%s, %v: %x, want %x", name, alg, got, want.Buffer)
			}
		}
	}
}

func TestNVNameAgainstGoTPM(t *testing.T) {
	pub := &wire.TPMSNVPublic{
		NVIndex: 0x01800001, NameAlg: wire.AlgSHA256,
		Attributes: wire.NVOwnerWrite | wire.NVOwnerRead, DataSize: 32,
	}
	theirs, err := tpm2.Unmarshal[tpm2.TPMSNVPublic](wire.Marshal(*pub))
	if err != nil {
		t.Fatal(err)
	}
	want, err := tpm2.NVName(theirs)
	if err != nil {
		t.Fatal(err)
	}
	if got := crypt.NVName(pub); !bytes.Equal(got, want.Buffer) {
		t.Errorf("%x, want %x", got, want.Buffer)
	}
}

// An object without nameAlg has no Name, rather than a Name of no digest.
func TestNoName(t *testing.T) {
	pub := *rsa2048(t).pub
	pub.NameAlg = wire.AlgNull
	if n := crypt.ObjectName(&pub); n != nil {
		t.Errorf("Name %x", n)
	}
	if n := crypt.QualifiedName([]byte{1}, nil, wire.AlgNull); n != nil {
		t.Errorf("Qualified Name %x", n)
	}
}

func TestQualifiedName(t *testing.T) {
	parent := crypt.HandleName(wire.HandleOwner)
	wantHex(t, "the owner hierarchy's Name", parent, "40000001")
	name := []byte("name")
	want := append([]byte{0x00, 0x0B}, crypt.Digest(wire.AlgSHA256, []byte("\x40\x00\x00\x01name"))...)
	if got := crypt.QualifiedName(parent, name, wire.AlgSHA256); !bytes.Equal(got, want) {
		t.Errorf("%x, want %x", got, want)
	}
}
