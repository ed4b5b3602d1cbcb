package attest_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"testing"

	"github.com/bootseal/bootseal/attest"
	"github.com/bootseal/bootseal/attest/verify"
	"github.com/bootseal/bootseal/pcr"
	"github.com/google/go-tpm/tpm2"
	"github.com/google/go-tpm/tpm2/transport"
)

var nonce = []byte("drawn by the verifier, used once")

func sha256PCRs(indexes ...int) pcr.BankSelection {
	return pcr.BankSelection{Bank: pcr.SHA256, PCRs: pcr.Select(indexes...)}
}

func extend(t testing.TB, tpm transport.TPM, index int, digest pcr.Digest) {
	t.Helper()
	_, err := tpm2.PCRExtend{
		PCRHandle: tpm2.AuthHandle{Handle: tpm2.TPMHandle(index), Auth: tpm2.PasswordAuth(nil)},
		Digests:   tpm2.TPMLDigestValues{Digests: []tpm2.TPMTHA{{HashAlg: tpm2.TPMAlgSHA256, Digest: digest}}},
	}.Execute(tpm)
	if err != nil {
		t.Fatal(err)
	}
}

func createAK(t testing.TB, tpm transport.TPM) *attest.AK {
	t.Helper()
	ak, err := attest.CreateAK(tpm)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := ak.Close(tpm); err != nil {
			t.Error(err)
		}
	})
	return ak
}

// A real TPM's evidence, sent as JSON, proves the values that were extended.
func TestQuoteAndVerify(t *testing.T) {
	tpm := open(t)
	measured := pcr.SHA256.Sum([]byte("bootloader"))
	extend(t, tpm, 4, measured)
	ak := createAK(t, tpm)
	sel := sha256PCRs(0, 1, 2, 3, 4, 5, 7, 8, 9, 14) // more than one PCR_Read holds
	made, err := attest.Quote(tpm, ak, nonce, sel)
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(made)
	if err != nil {
		t.Fatal(err)
	}
	var e attest.Evidence
	if err := json.Unmarshal(text, &e); err != nil {
		t.Fatal(err)
	}
	got, err := verify.Quote(&e, verify.Expect{AKName: ak.Name, Nonce: nonce, PCRs: sel})
	if err != nil {
		t.Fatal(err)
	}
	want, err := pcr.Extend(pcr.SHA256, make([]byte, 32), measured)
	if err != nil {
		t.Fatal(err)
	}
	if d, _ := got.PCRs.Get(pcr.SHA256, 4); !d.Equal(want) || got.PCRs.Selection(pcr.SHA256) != sel.PCRs {
		t.Errorf("have %v", got.PCRs)
	}
}

// The key is derived from the TPM's seed: a verifier that knows its Name knows it
// after a reboot, too.
func TestAKIsTheSameAgain(t *testing.T) {
	tpm := open(t)
	one, two := createAK(t, tpm), createAK(t, tpm)
	if !bytes.Equal(one.Name, two.Name) || !bytes.Equal(one.Public, two.Public) {
		t.Errorf("%x and %x", one.Name, two.Name)
	}
	if other := createAK(t, open(t)); bytes.Equal(one.Name, other.Name) {
		t.Error("two TPMs have the same key")
	}
}

// The attack as it works on a TPM: PCR 4 is bad, the good value goes into PCR 16,
// which anybody may reset, and the quoted digest is that of a good machine.
func TestSubstitutedSelection(t *testing.T) {
	tpm := open(t)
	good, bad := pcr.SHA256.Sum([]byte("good")), pcr.SHA256.Sum([]byte("bad"))
	extend(t, tpm, 4, bad)
	extend(t, tpm, 16, good)
	ak := createAK(t, tpm)
	e, err := attest.Quote(tpm, ak, nonce, sha256PCRs(0, 1, 2, 3, 16))
	if err != nil {
		t.Fatal(err)
	}
	goodPCR4, _ := e.PCRValues.Get(pcr.SHA256, 16)
	e.PCRValues.Set(pcr.SHA256, 4, goodPCR4)
	delete(e.PCRValues[pcr.SHA256], 16)

	want := verify.Expect{AKName: ak.Name, Nonce: nonce, PCRs: sha256PCRs(0, 1, 2, 3, 4)}
	if _, err := verify.Quote(e, want); !errors.Is(err, verify.ErrSelection) {
		t.Errorf("have %v", err)
	}
}

// A TPM quotes two selections of one bank, each with its own values: PCR 4 never
// shows.
func TestTwoSelectionsOfOneBank(t *testing.T) {
	tpm := open(t)
	primary, err := tpm2.CreatePrimary{
		PrimaryHandle: tpm2.TPMRHEndorsement,
		InPublic:      tpm2.BytesAs2B[tpm2.TPMTPublic](createAK(t, tpm).Public),
	}.Execute(tpm)
	if err != nil {
		t.Fatal(err)
	}
	entry := func(index int) tpm2.TPMSPCRSelection {
		return tpm2.TPMSPCRSelection{Hash: tpm2.TPMAlgSHA256, PCRSelect: pcr.Select(index).Octets()}
	}
	rsp, err := tpm2.Quote{
		SignHandle:     tpm2.AuthHandle{Handle: primary.ObjectHandle, Name: primary.Name, Auth: tpm2.PasswordAuth(nil)},
		QualifyingData: tpm2.TPM2BData{Buffer: nonce},
		InScheme:       tpm2.TPMTSigScheme{Scheme: tpm2.TPMAlgNull},
		PCRSelect:      tpm2.TPMLPCRSelection{PCRSelections: []tpm2.TPMSPCRSelection{entry(0), entry(16)}},
	}.Execute(tpm)
	if err != nil {
		t.Skipf("this TPM refuses: %v", err)
	}
	e := &attest.Evidence{
		Quoted:    rsp.Quoted.Bytes(),
		Signature: tpm2.Marshal(rsp.Signature),
		AKPublic:  primary.OutPublic.Bytes(),
		PCRValues: pcr.Values{pcr.SHA256: {0: make(pcr.Digest, 32), 4: make(pcr.Digest, 32)}},
	}
	want := verify.Expect{AKName: primary.Name.Buffer, Nonce: nonce, PCRs: sha256PCRs(0, 4)}
	if _, err := verify.Quote(e, want); !errors.Is(err, verify.ErrSelection) {
		t.Errorf("have %v", err)
	}
}
