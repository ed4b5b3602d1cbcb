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
	"github.com/bootseal/bootseal/predict"
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
	owner := signingKey(t)
	v := signedVolume(t, owner.key, pcr.Select(11))
	path := func(kernel string) predict.Path {
		p := path(kernel)
		p.PCRs.Set(pcr.SHA256, 11, pcr.SHA256.Sum([]byte(kernel)))
		return p
	}
	w := status.Foresee(prediction(path("54")), v)[0]
	if w.Outcome != status.Untold || !strings.Contains(w.Why[0], "wants PCR 11 signed") {
		t.Errorf("without a signature: %+v", w)
	}
	signature := owner.sign(t, pcr.SHA256.Sum([]byte("54")))
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

// A unified kernel image of the way brings signatures of its own, and where none of them counts it
// is said what there is.
func TestForeseeSignedByTheImage(t *testing.T) {
	ours, theirs := signingKey(t), signingKey(t)
	v := signedVolume(t, ours.key, pcr.Select(11))
	image := func(by signing, image string, phases ...string) predict.Path {
		p := path("54")
		p.PCRs.Set(pcr.SHA256, 11, pcr.SHA256.Sum([]byte("this image")))
		f := pcrsig.File{pcr.SHA256: {by.sign(t, pcr.SHA256.Sum([]byte(image)), phases...)}}
		text, err := f.Bytes()
		if err != nil {
			t.Fatal(err)
		}
		p.Signatures = append(text, make([]byte, 100)...) // as sections are
		return p
	}
	for _, tt := range []struct {
		path    predict.Path
		outcome status.Outcome
		why     string
	}{
		{image(ours, "this image"), status.Opens, ""},
		{image(theirs, "this image"), status.Refuses, "token 0 wants PCR 11 signed: there are signatures, by another key ("},
		{image(ours, "another image"), status.Refuses, "there are signatures, of other values"},
		{image(ours, "this image", "enter-initrd"), status.Untold, "bootseal policy sign --phase :"},
	} {
		w := status.Foresee(prediction(tt.path), v)[0]
		if w.Outcome != tt.outcome || !strings.Contains(strings.Join(w.Why, "\n"), tt.why) {
			t.Errorf("%+v, want %s, %q", w, tt.outcome, tt.why)
		}
		if remedy := status.Check(v, []status.Way{w}, status.FallbackNone).Ways[0].Remedy; w.Outcome == status.Refuses && !strings.Contains(remedy, "policy sign") {
			t.Errorf("%+v: the remedy is %q", w, remedy)
		}
		if w.Outcome == status.Opens && w.Label != enrollment.SignedLabel {
			t.Errorf("%+v", w)
		}
	}
	broken := image(ours, "this image")
	broken.Signatures = []byte("{")
	if w := status.Foresee(prediction(broken), v)[0]; w.Outcome != status.Refuses || !strings.Contains(w.Why[0], "there is no signature") {
		t.Errorf("a section that is none: %+v", w)
	}
}

// A signed token whose other PCRs have moved, as PCR 7 does with a revocation, opens for nothing
// that is signed, and no reseal changes that.
func TestSignedForNoBoot(t *testing.T) {
	v := signedVolume(t, signingKey(t).key, pcr.Select(11))
	moved, unknown := path("54"), path("54")
	moved.PCRs.Set(pcr.SHA256, 7, make([]byte, 32))
	delete(unknown.PCRs[pcr.SHA256], 7)
	for _, tt := range []struct {
		paths []predict.Path
		warns bool
	}{
		{[]predict.Path{path("54")}, false},
		{[]predict.Path{moved, path("54")}, false},
		{[]predict.Path{moved, unknown}, false},
		{[]predict.Path{moved}, true},
	} {
		f := newMachine(t).facts(t)
		f.Volumes, f.Prediction = []status.Volume{*v}, prediction(tt.paths...)
		l := find(status.Judge(f), "signed")
		if (l != nil) != tt.warns || l != nil && (l.Verdict != status.Warn || !strings.Contains(l.Says, "token 0 (PCR 7)")) {
			t.Errorf("%d paths: %+v", len(tt.paths), l)
		}
	}
}

// signing is a key of somebody who signs policies.
type signing struct {
	key  *pcrsig.Key
	sign func(t *testing.T, pcr11 pcr.Digest, phases ...string) pcrsig.Signature
}

func signingKey(t *testing.T) signing {
	t.Helper()
	private, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	key, signer, err := pcrsig.ParsePrivateKey(pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(private)}))
	if err != nil {
		t.Fatal(err)
	}
	return signing{key, func(t *testing.T, pcr11 pcr.Digest, phases ...string) pcrsig.Signature {
		t.Helper()
		for _, word := range phases {
			pcr11, err = pcr.Extend(pcr.SHA256, pcr11, pcr.SHA256.Sum([]byte(word)))
			if err != nil {
				t.Fatal(err)
			}
		}
		policy, err := seal.PCRPolicy(pcr.Values{pcr.SHA256: {11: pcr11}}, pcr.BankSelection{Bank: pcr.SHA256, PCRs: pcr.Select(11)})
		if err != nil {
			t.Fatal(err)
		}
		s, err := pcrsig.Sign(key, signer, pcr.Select(11), policy)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}}
}

// signedVolume has a token for the boots that a key's owner signs, with PCR 7 beside.
func signedVolume(t *testing.T, key *pcrsig.Key, signed pcr.Selection) *status.Volume {
	t.Helper()
	policy, err := enrollment.LiteralPolicy("", values("54"), pcr.BankSelection{Bank: pcr.SHA256, PCRs: pcr.Select(7)}, false)
	if err != nil {
		t.Fatal(err)
	}
	policy.Signed = &seal.Signed{PublicKey: key.PEM, PCRs: signed, ZeroExponent: true}
	s, err := seal.Seal(vtpmtest.Open(t), seal.Options{Secret: make([]byte, 32), Policy: policy})
	if err != nil {
		t.Fatal(err)
	}
	hash, err := seal.Digest(policy)
	if err != nil {
		t.Fatal(err)
	}
	return withToken(t, &luks.SystemdTPM2{Keyslots: []int{1}, Shards: []luks.Shard{{Blob: luks.Blob{Private: s.Private, Public: s.Public}, PolicyHash: hash}},
		PCRs: pcr.Select(7), Bank: pcr.SHA256, PrimaryAlg: "ecc", Pubkey: []byte(key.PEM), PubkeyPCRs: signed,
		SRK: &luks.ESYSObject{Kind: luks.ESYSKey, Handle: uint32(s.Parent.Handle), Name: s.Parent.Name, Public: s.Parent.Public}})
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
