package manufacture_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/asn1"
	"fmt"
	"math/big"
	"slices"
	"testing"

	"github.com/bootseal/bootseal/manufacture"
	"github.com/bootseal/bootseal/pcr"
	"github.com/google/go-tpm/tpm2"
	"github.com/google/go-tpm/tpm2/transport"
)

// What tests ask a TPM, as a guest would.

func hex(b []byte) string { return fmt.Sprintf("%x", b) }

// handles returns the handles from first on, of the kind that it is.
func handles(t *testing.T, tpm transport.TPM, first uint32) []uint32 {
	t.Helper()
	rsp, err := tpm2.GetCapability{Capability: tpm2.TPMCapHandles, Property: first, PropertyCount: 100}.Execute(tpm)
	if err != nil {
		t.Fatal(err)
	}
	list, err := rsp.CapabilityData.Data.Handles()
	if err != nil {
		t.Fatal(err)
	}
	var have []uint32
	for _, h := range list.Handle {
		have = append(have, uint32(h))
	}
	return have
}

func wantHandles(t *testing.T, tpm transport.TPM, want ...uint32) {
	t.Helper()
	if have := handles(t, tpm, 0x81000000); !slices.Equal(have, want) {
		t.Errorf("persistent keys %#x, want %#x", have, want)
	}
	if have := handles(t, tpm, 0x80000000); len(have) > 0 {
		t.Errorf("keys stay loaded: %#x", have)
	}
}

func wantIndices(t *testing.T, tpm transport.TPM, want ...uint32) {
	t.Helper()
	if have := handles(t, tpm, 0x01000000); !slices.Equal(have, want) {
		t.Errorf("NV indices %#x, want %#x", have, want)
	}
}

func nvName(t *testing.T, tpm transport.TPM, index tpm2.TPMHandle) tpm2.TPM2BName {
	t.Helper()
	rsp, err := tpm2.NVReadPublic{NVIndex: index}.Execute(tpm)
	if err != nil {
		t.Fatal(err)
	}
	return rsp.NVName
}

// readIndex reads an NV index with the owner's authorization.
func readIndex(t *testing.T, tpm transport.TPM, index manufacture.Handle) []byte {
	t.Helper()
	rsp, err := tpm2.NVReadPublic{NVIndex: tpm2.TPMHandle(index)}.Execute(tpm)
	if err != nil {
		t.Fatal(err)
	}
	p, err := rsp.NVPublic.Contents()
	if err != nil {
		t.Fatal(err)
	}
	var data []byte
	for len(data) < int(p.DataSize) {
		part, err := tpm2.NVRead{
			AuthHandle: tpm2.AuthHandle{Handle: tpm2.TPMRHOwner, Auth: tpm2.PasswordAuth(nil)},
			NVIndex:    tpm2.NamedHandle{Handle: tpm2.TPMHandle(index), Name: rsp.NVName},
			Size:       uint16(min(512, int(p.DataSize)-len(data))),
			Offset:     uint16(len(data)),
		}.Execute(tpm)
		if err != nil {
			t.Fatalf("read %v: %v", index, err)
		}
		data = append(data, part.Data.Buffer...)
	}
	return data
}

func handleName(t *testing.T, tpm transport.TPM, handle uint32) []byte {
	t.Helper()
	rsp, err := tpm2.ReadPublic{ObjectHandle: tpm2.TPMHandle(handle)}.Execute(tpm)
	if err != nil {
		t.Fatal(err)
	}
	return rsp.Name.Buffer
}

func public(t *testing.T, tpm transport.TPM, handle uint32) *tpm2.TPMTPublic {
	t.Helper()
	rsp, err := tpm2.ReadPublic{ObjectHandle: tpm2.TPMHandle(handle)}.Execute(tpm)
	if err != nil {
		t.Fatal(err)
	}
	p, err := rsp.OutPublic.Contents()
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// primaryName returns the Name of the endorsement hierarchy's key of a template.
func primaryName(t *testing.T, tpm transport.TPM, template []byte) []byte {
	t.Helper()
	p, err := tpm2.Unmarshal[tpm2.TPMTPublic](template)
	if err != nil {
		t.Fatal(err)
	}
	rsp, err := tpm2.CreatePrimary{PrimaryHandle: tpm2.TPMRHEndorsement, InPublic: tpm2.New2B(*p)}.Execute(tpm)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := (tpm2.FlushContext{FlushHandle: rsp.ObjectHandle}).Execute(tpm); err != nil {
		t.Fatal(err)
	}
	return rsp.Name.Buffer
}

// quote quotes with a key, and verifies with the key of its certificate.
func quote(t *testing.T, tpm transport.TPM, handle uint32, x *x509.Certificate) {
	t.Helper()
	rsp, err := tpm2.Quote{
		SignHandle: tpm2.AuthHandle{
			Handle: tpm2.TPMHandle(handle), Name: tpm2.TPM2BName{Buffer: handleName(t, tpm, handle)}, Auth: tpm2.PasswordAuth(nil),
		},
		InScheme:  tpm2.TPMTSigScheme{Scheme: tpm2.TPMAlgNull},
		PCRSelect: tpm2.TPMLPCRSelection{PCRSelections: []tpm2.TPMSPCRSelection{{Hash: tpm2.TPMAlgSHA256, PCRSelect: []byte{1, 0, 0}}}},
	}.Execute(tpm)
	if err != nil {
		t.Fatal(err)
	}
	digest := sha256.Sum256(rsp.Quoted.Bytes())
	switch k := x.PublicKey.(type) {
	case *rsa.PublicKey:
		s, err := rsp.Signature.Signature.RSASSA()
		if err != nil {
			t.Fatal(err)
		}
		if err := rsa.VerifyPKCS1v15(k, crypto.SHA256, digest[:], s.Sig.Buffer); err != nil {
			t.Error(err)
		}
	case *ecdsa.PublicKey:
		s, err := rsp.Signature.Signature.ECDSA()
		if err != nil {
			t.Fatal(err)
		}
		r, v := new(big.Int).SetBytes(s.SignatureR.Buffer), new(big.Int).SetBytes(s.SignatureS.Buffer)
		if !ecdsa.Verify(k, digest[:], r, v) {
			t.Error("the quote's signature is wrong")
		}
	default:
		t.Errorf("a key of type %T", k)
	}
}

// activeBanks returns the banks that have PCRs.
func activeBanks(t *testing.T, tpm transport.TPM) []pcr.Bank {
	t.Helper()
	rsp, err := tpm2.GetCapability{Capability: tpm2.TPMCapPCRs, PropertyCount: 64}.Execute(tpm)
	if err != nil {
		t.Fatal(err)
	}
	list, err := rsp.CapabilityData.Data.AssignedPCR()
	if err != nil {
		t.Fatal(err)
	}
	var have []pcr.Bank
	for _, s := range list.PCRSelections {
		if slices.ContainsFunc(s.PCRSelect, func(b byte) bool { return b != 0 }) {
			have = append(have, pcr.Bank(s.Hash))
		}
	}
	return have
}

// googleInstanceInfo is the structure by which go-tpm-tools v0.4 (server, gceInstanceInfo)
// reads Google's extension.
type googleInstanceInfo struct {
	Zone          string `asn1:"utf8"`
	ProjectNumber int64
	Project       string `asn1:"utf8"`
	ID            int64
	Name          string `asn1:"utf8"`
	Security      struct {
		Version    int64 `asn1:"explicit,tag:0,optional"`
		Production bool  `asn1:"explicit,tag:1,optional"`
	} `asn1:"explicit,optional"`
}

func googleInstance(t *testing.T, x *x509.Certificate) googleInstanceInfo {
	t.Helper()
	var g googleInstanceInfo
	for _, e := range x.Extensions {
		if e.Id.Equal(asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 11129, 2, 1, 21}) {
			if _, err := asn1.Unmarshal(e.Value, &g); err != nil {
				t.Fatal(err)
			}
		}
	}
	return g
}
