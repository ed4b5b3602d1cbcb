package enrollment_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"slices"
	"testing"

	"github.com/bootseal/bootseal/internal/gztest"
	"github.com/bootseal/bootseal/luks"
	"github.com/bootseal/bootseal/node/enrollment"
	"github.com/bootseal/bootseal/pcr"
	"github.com/bootseal/bootseal/seal"
	"github.com/bootseal/bootseal/vtpm/vtpmtest"
)

// sample is the header of Debian 12's tools: see luks/testdata/README.md. The TPM's
// PCRs were zero when its tokens were made.
func sample(t *testing.T) *luks.Header {
	t.Helper()
	h, err := luks.Read(bytes.NewReader(gztest.Read(t, "../../luks/testdata/debian12.gz")))
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func zeros(b pcr.Bank, pcrs ...int) pcr.Values {
	v := pcr.Values{}
	for _, i := range pcrs {
		v.Set(b, i, make([]byte, b.Size()))
	}
	return v
}

func TestInspect(t *testing.T) {
	h := sample(t)
	e := enrollment.Inspect(h)
	if e.UUID != h.UUID || len(e.Keyslots) != 6 || len(e.Tokens) != 6 || len(e.Problems) != 0 {
		t.Errorf("UUID %s, %d keyslots, %d tokens, problems %v", e.UUID, len(e.Keyslots), len(e.Tokens), e.Problems)
	}
	if !slices.Equal(e.Recovery, []int{3}) {
		t.Errorf("recovery keys in %v", e.Recovery)
	}
	if e.Boot() != nil {
		t.Error("there is a bootseal token")
	}
	if c, ok := e.Token(4).Token.(*luks.Clevis); !ok || c.TPM2 == nil {
		t.Error("token 4 is not clevis's")
	}
	if e.Token(6) != nil {
		t.Error("there is a token 6")
	}
}

// A token that cannot be read hides no other.
func TestInspectDamagedToken(t *testing.T) {
	h := sample(t)
	h.Metadata.Tokens[0] = json.RawMessage(`{"type":"systemd-tpm2","keyslots":["1"],"tpm2-pcrs":[99]}`)
	e := enrollment.Inspect(h)
	var damaged *luks.TokenError
	if len(e.Problems) != 1 || !errors.As(e.Problems[0], &damaged) || damaged.ID != 0 {
		t.Errorf("problems %v", e.Problems)
	}
	if len(e.Tokens) != 5 || e.Token(0) != nil || e.Token(1) == nil {
		t.Errorf("%d tokens", len(e.Tokens))
	}
}

// Which tokens fit follows from the policy hash alone: tokens of others count.
func TestFits(t *testing.T) {
	e := enrollment.Inspect(sample(t))
	changed := zeros(pcr.SHA256, 4, 7)
	changed.Set(pcr.SHA256, 4, pcr.SHA256.Sum([]byte("another kernel")))
	for _, c := range []struct {
		name   string
		values pcr.Values
		want   []int
	}{
		{"the boot that they were made at", zeros(pcr.SHA256, 4, 7), []int{0, 1}},
		{"another kernel", changed, []int{1}},
		{"PCR 4 is not known", zeros(pcr.SHA256, 7), []int{1}},
		{"another bank", zeros(pcr.SHA1, 4, 7), nil},
		{"nothing", nil, nil},
	} {
		if got := e.Fits(c.values); !slices.Equal(got, c.want) {
			t.Errorf("%s: have %v, want %v", c.name, got, c.want)
		}
	}
}

// A token of a keyslot that is gone opens nothing.
func TestFitsNeedsTheKeyslot(t *testing.T) {
	h := sample(t)
	delete(h.Metadata.Keyslots, 1)
	if got := enrollment.Inspect(h).Fits(zeros(pcr.SHA256, 4, 7)); !slices.Equal(got, []int{1}) {
		t.Errorf("have %v", got)
	}
}

// enrolled is a header with a token for each of the labels, whose PCRs 4 and 7 are
// the label's, and the bootseal token.
func enrolled(t *testing.T, tpm *vtpmtest.TPM, secret []byte, pin string, labels ...string) *luks.Header {
	t.Helper()
	h := &luks.Header{
		Copy: luks.Copy{UUID: "11111111-2222-3333-4444-555555555555", Size: 16384},
		Metadata: &luks.Metadata{
			Keyslots: map[int]luks.Keyslot{0: {Type: "luks2"}, 1: {Type: "luks2"}},
			Tokens:   map[int]json.RawMessage{},
		},
	}
	expectations := &luks.Boot{Keyslots: []int{1}}
	for id, label := range labels {
		v := values(label)
		p, err := enrollment.LiteralPolicy(label, v, pcr.BankSelection{Bank: pcr.SHA256, PCRs: pcr.Select(4, 7)}, pin != "")
		if err != nil {
			t.Fatal(err)
		}
		s, err := seal.Seal(tpm, seal.Options{Secret: secret, Policy: p, PIN: []byte(pin)})
		if err != nil {
			t.Fatal(err)
		}
		token, err := enrollment.NewToken(s, 1)
		if err != nil {
			t.Fatal(err)
		}
		if h.Metadata.Tokens[id], err = token.For(luks.Systemd257); err != nil {
			t.Fatal(err)
		}
		expectations.Paths = append(expectations.Paths, luks.Path{Token: id, Label: label, Bank: pcr.SHA256, PCRs: v[pcr.SHA256]})
	}
	text, err := expectations.MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	h.Metadata.Tokens[len(labels)] = text
	return h
}

// values are PCRs 4 and 7 of a boot.
func values(label string) pcr.Values {
	v := zeros(pcr.SHA256, 7)
	v.Set(pcr.SHA256, 4, pcr.SHA256.Sum([]byte(label)))
	return v
}

func TestExpect(t *testing.T) {
	tpm := vtpmtest.Open(t)
	h := enrolled(t, tpm, []byte("32 bytes that a TPM has unsealed"), "", "kernel 54", "kernel 56")
	e := enrollment.Inspect(h)
	for id, label := range []string{"kernel 54", "kernel 56"} {
		if p := e.Token(id).Expect; p == nil || p.Label != label {
			t.Errorf("token %d: expectation %+v", id, p)
		}
	}
	if e.Boot() == nil || e.Boot().ID != 2 {
		t.Errorf("bootseal token %+v", e.Boot())
	}
	if got := e.Fits(values("kernel 56")); !slices.Equal(got, []int{1}) {
		t.Errorf("kernel 56 opens %v", got)
	}
	// Another program has put a token of its own in the place of token 1.
	h.Metadata.Tokens[1] = sample(t).Metadata.Tokens[0]
	if p := enrollment.Inspect(h).Token(1).Expect; p != nil {
		t.Errorf("somebody else's token: expectation %+v", p)
	}
}

// What goes into a token comes out of the TPM again, by the token's text alone.
func TestSealed(t *testing.T) {
	secret := []byte("32 bytes that a TPM has unsealed")
	for _, pin := range []string{"", "123456"} {
		tpm := vtpmtest.Open(t)
		e := enrollment.Inspect(enrolled(t, tpm, secret, pin, "this boot", "another"))
		if len(e.Problems) != 0 {
			t.Fatal(e.Problems)
		}
		s, err := e.Token(0).Key().Sealed("this boot", values("this boot"))
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Check(); err != nil {
			t.Fatal(err)
		}
		// The TPM's PCR 4 is zero so far.
		var other *seal.MismatchError
		if _, err := seal.Unseal(tpm, s, []byte(pin)); !errors.As(err, &other) || other.Branches[0].Label != "this boot" {
			t.Errorf("before the boot: %v", err)
		}
		if _, err := e.Token(1).Key().Sealed("", values("this boot")); !errors.Is(err, enrollment.ErrOtherBoot) {
			t.Errorf("the token of another boot: %v", err)
		}
	}
}

// A token that is written for a release of systemd opens by its text alone.
func TestSealedOpens(t *testing.T) {
	secret := []byte("32 bytes that a TPM has unsealed")
	for _, release := range []int{luks.Systemd252, luks.Systemd255, luks.Systemd257} {
		for _, pin := range []string{"", "123456"} {
			tpm := vtpmtest.Open(t)
			read, now := written(t, tpm, release, secret, pin)
			if old := release < luks.Systemd255; old != (read.SRK == nil) {
				t.Errorf("systemd %d: SRK %v", release, read.SRK)
			}
			s, err := (&enrollment.Token{Token: read}).Key().Sealed("this boot", now)
			if err != nil {
				t.Fatal(err)
			}
			if len(s.Parent.Name) == 0 {
				if s.Parent, err = seal.MakeParent(tpm, nil, s.Parent.Template); err != nil {
					t.Fatal(err)
				}
			}
			got, err := seal.Unseal(tpm, s, []byte(pin))
			if err != nil || !bytes.Equal(got, secret) {
				t.Errorf("systemd %d, PIN %q: unsealed %q, %v", release, pin, got, err)
			}
		}
	}
}

// written seals a secret to the TPM's PCRs and writes and reads the token.
func written(t *testing.T, tpm *vtpmtest.TPM, release int, secret []byte, pin string) (*luks.SystemdTPM2, pcr.Values) {
	t.Helper()
	sel := pcr.BankSelection{Bank: pcr.SHA256, PCRs: pcr.Select(4, 7)}
	now, err := seal.ReadPCRs(tpm, sel)
	if err != nil {
		t.Fatal(err)
	}
	p, err := enrollment.LiteralPolicy("this boot", now, sel, pin != "")
	if err != nil {
		t.Fatal(err)
	}
	parent, err := enrollment.ParentFor(tpm, release, nil)
	if err != nil {
		t.Fatal(err)
	}
	made, err := seal.Seal(tpm, seal.Options{Secret: secret, Policy: p, PIN: []byte(pin), Parent: parent,
		UnsaltedPIN: enrollment.UnsaltedPIN(release)})
	if err != nil {
		t.Fatal(err)
	}
	token, err := enrollment.NewToken(made, 1)
	if err != nil {
		t.Fatal(err)
	}
	text, err := token.For(release)
	if err != nil {
		t.Fatal(err)
	}
	read, err := luks.ParseToken(0, text)
	if err != nil {
		t.Fatal(err)
	}
	return read.(*luks.SystemdTPM2), now
}

// A signed policy is not taken for one of PCR values alone.
func TestKeyRefuses(t *testing.T) {
	token := enrollment.Inspect(sample(t)).Token(3)
	if k := token.Key(); k != nil {
		t.Errorf("a signed policy: %+v", k)
	}
	k := token.AnyKey()
	if k == nil || k.Signed == nil || k.Opaque {
		t.Fatalf("a signed policy: %+v", k)
	}
	k.Signed = nil
	if _, err := k.Sealed("", zeros(pcr.SHA256, 7)); !errors.Is(err, enrollment.ErrOtherBoot) {
		t.Errorf("without its signer: %v", err)
	}
}

func TestNewTokenRefuses(t *testing.T) {
	two := seal.Policy{Bank: pcr.SHA256, Branches: []seal.Branch{{PCRs: values("a")[pcr.SHA256]}, {PCRs: values("b")[pcr.SHA256]}}}
	if _, err := enrollment.NewToken(&seal.Sealed{Policy: two}, 1); err == nil {
		t.Error("a policy for two boots became a token")
	}
	one := seal.Policy{Bank: pcr.SHA256, Branches: two.Branches[:1]}
	if _, err := enrollment.NewToken(&seal.Sealed{Policy: one, Parent: seal.Parent{Public: []byte{0, 8}}}, 1); err == nil {
		t.Error("a parent of another algorithm became systemd's")
	}
}
