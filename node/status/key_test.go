package status_test

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"strings"
	"testing"

	"github.com/bootseal/bootseal/internal/lukstest"
	"github.com/bootseal/bootseal/luks"
	"github.com/bootseal/bootseal/node/enrollment"
	"github.com/bootseal/bootseal/node/status"
	"github.com/bootseal/bootseal/pcr"
	"github.com/bootseal/bootseal/seal"
	"github.com/bootseal/bootseal/seal/pcrsig"
	"github.com/bootseal/bootseal/vtpm/vtpmtest"
)

// withToken is a volume with one token.
func withToken(t *testing.T, token luks.Token) *status.Volume {
	t.Helper()
	text, err := token.MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	h := lukstest.Header{UUID: uuid, Keyslots: 2, Tokens: map[int]json.RawMessage{0: text}}
	v := status.ReadVolume("/dev/sda3", bytes.NewReader(h.Bytes()))
	if v.Err != nil || len(v.Enrollment.Problems) > 0 {
		t.Fatal(v.Err, v.Enrollment.Problems)
	}
	return &v
}

// A token with a signed policy opens for the boots that the key's owner has signed. Where
// there is no signature, a unified kernel image may still bring one.
func TestForeseeSigned(t *testing.T) {
	tpm := vtpmtest.Open(t)
	private, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	key, signer, err := pcrsig.ParsePrivateKey(pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(private)}))
	if err != nil {
		t.Fatal(err)
	}
	policy, err := enrollment.LiteralPolicy("", values("54"), pcr.BankSelection{Bank: pcr.SHA256, PCRs: pcr.Select(7)}, false)
	if err != nil {
		t.Fatal(err)
	}
	policy.Signed = &seal.Signed{PublicKey: key.PEM, PCRs: pcr.Select(4), ZeroExponent: true}
	s, err := seal.Seal(tpm, seal.Options{Secret: make([]byte, 32), Policy: policy})
	if err != nil {
		t.Fatal(err)
	}
	hash, err := seal.Digest(policy)
	if err != nil {
		t.Fatal(err)
	}
	v := withToken(t, &luks.SystemdTPM2{Keyslots: []int{1}, Shards: []luks.Shard{{Blob: luks.Blob{Private: s.Private, Public: s.Public}, PolicyHash: hash}},
		PCRs: pcr.Select(7), Bank: pcr.SHA256, PrimaryAlg: "ecc", Pubkey: []byte(key.PEM), PubkeyPCRs: pcr.Select(4),
		SRK: &luks.ESYSObject{Kind: luks.ESYSKey, Handle: uint32(s.Parent.Handle), Name: s.Parent.Name, Public: s.Parent.Public}})

	w := status.Foresee(prediction(path("54")), v)[0]
	if w.Outcome != status.Untold || !strings.Contains(w.Why[0], "wants PCR 4 signed") {
		t.Errorf("without a signature: %+v", w)
	}
	digest, err := seal.PCRPolicy(values("54"), pcr.BankSelection{Bank: pcr.SHA256, PCRs: pcr.Select(4)})
	if err != nil {
		t.Fatal(err)
	}
	signature, err := pcrsig.Sign(key, signer, pcr.Select(4), digest)
	if err != nil {
		t.Fatal(err)
	}
	v.Signatures = []pcrsig.File{{pcr.SHA256: {signature}}}
	if w := status.Foresee(prediction(path("54")), v)[0]; w.Outcome != status.Opens {
		t.Errorf("signed: %+v", w)
	}
	if w := status.Foresee(prediction(path("56")), v)[0]; w.Outcome != status.Untold {
		t.Errorf("another kernel, not signed: %+v", w)
	}
	elsewhere := path("54")
	elsewhere.PCRs.Set(pcr.SHA256, 7, make([]byte, 32))
	if w := status.Foresee(prediction(elsewhere), v)[0]; w.Outcome != status.Refuses {
		t.Errorf("signed, but PCR 7 differs: %+v", w)
	}
	signature.Sig = bytes.Clone(signature.Sig)
	signature.Sig[0] ^= 1
	v.Signatures = []pcrsig.File{{pcr.SHA256: {signature}}}
	if w := status.Foresee(prediction(path("54")), v)[0]; w.Outcome != status.Untold {
		t.Errorf("a signature that is none: %+v", w)
	}
}

// A token with a rollback guard opens until its boot is retired.
func TestForeseeGuarded(t *testing.T) {
	tpm := vtpmtest.Open(t)
	srk, _, err := seal.EnsureSRK(tpm, nil)
	if err != nil {
		t.Fatal(err)
	}
	guard, err := seal.DefineGuard(tpm, srk, nil)
	if err != nil {
		t.Fatal(err)
	}
	policy, err := enrollment.LiteralPolicy("", values("54"), pcr.BankSelection{Bank: pcr.SHA256, PCRs: pcr.Select(4, 7)}, false)
	if err != nil {
		t.Fatal(err)
	}
	policy.Guard = &guard
	s, err := seal.Seal(tpm, seal.Options{Secret: make([]byte, 32), Policy: policy})
	if err != nil {
		t.Fatal(err)
	}
	v := withToken(t, &luks.BootsealTPM2{Keyslots: []int{1}, Object: luks.Blob{Private: s.Private, Public: s.Public}, PCRs: pcr.Select(4, 7), Bank: pcr.SHA256,
		Parent: luks.TPM2Parent{Handle: uint32(s.Parent.Handle), Name: s.Parent.Name},
		Guard:  &luks.TPM2Guard{Index: uint32(guard.Index), Name: guard.Name, Value: guard.Value}})
	outcome := func() status.Way {
		if err := status.Try(tpm, v, []int{0}); err != nil {
			t.Fatal(err)
		}
		return status.Foresee(prediction(path("54")), v)[0]
	}
	if w := outcome(); w.Outcome != status.Opens {
		t.Errorf("%+v", w)
	}
	if w := status.Foresee(prediction(path("56")), v)[0]; w.Outcome != status.Refuses {
		t.Errorf("another kernel: %+v", w)
	}
	if err := seal.AdvanceGuard(tpm, srk, guard.Next(), nil); err != nil {
		t.Fatal(err)
	}
	if w := outcome(); w.Outcome != status.Refuses || !strings.Contains(w.Why[0], "it was retired") {
		t.Errorf("retired: %+v", w)
	}
	if err := seal.RemoveGuard(tpm, srk, guard, nil); err != nil {
		t.Fatal(err)
	}
	if w := outcome(); w.Outcome != status.Refuses || !strings.Contains(w.Why[0], "is gone") {
		t.Errorf("without its counter: %+v", w)
	}
}
