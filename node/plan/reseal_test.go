package plan_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/bootseal/bootseal/luks"
	"github.com/bootseal/bootseal/node/enrollment"
	"github.com/bootseal/bootseal/node/plan"
	"github.com/bootseal/bootseal/pcr"
	"github.com/bootseal/bootseal/seal"
)

// boot is a boot whose PCRs 4 and 7 are the label's.
func boot(label string) plan.Boot {
	return plan.Boot{
		Label: label, Entry: "entry of " + label, Bank: pcr.SHA256,
		PCRs:   map[int]pcr.Digest{4: pcr.SHA256.Sum([]byte(label)), 7: pcr.SHA256.Sum([]byte("secure boot"))},
		Events: pcr.SHA256.Sum([]byte("events of " + label)),
	}
}

func boots(labels ...string) []plan.Boot {
	var out []plan.Boot
	for _, l := range labels {
		out = append(out, boot(l))
	}
	return out
}

// token is one that was sealed for the boot. Its object cannot be loaded into a TPM,
// which nothing here does.
func token(b plan.Boot, keyslot int, pin bool) *luks.SystemdTPM2 {
	digest, err := seal.Digest(b.Policy(pin))
	if err != nil {
		panic(err)
	}
	public := make([]byte, 90)
	return &luks.SystemdTPM2{
		Keyslots: []int{keyslot}, PCRs: pcr.Select(4, 7), Bank: pcr.SHA256, PrimaryAlg: "ecc", PIN: pin,
		Shards: []luks.Shard{{Blob: luks.Blob{Private: make([]byte, 158), Public: make([]byte, 78)}, PolicyHash: digest}},
		SRK: &luks.ESYSObject{Kind: luks.ESYSKey, Handle: 0x81000001, Public: public,
			Name: append([]byte{0, 0x0B}, pcr.SHA256.Sum(public)...)},
	}
}

const size = 770 // of such a token in the header, rounded up

// header is a volume's, with keyslot 0 for a recovery key and 1 for the TPM.
type header struct {
	*luks.Header
	t        *testing.T
	expected luks.Boot
}

func newHeader(t *testing.T, labels ...string) *header {
	h := &header{t: t, expected: luks.Boot{Keyslots: []int{1}}, Header: &luks.Header{
		Copy: luks.Copy{UUID: "11111111-2222-3333-4444-555555555555", Size: 16384},
		Metadata: &luks.Metadata{
			Keyslots: map[int]luks.Keyslot{0: {Type: "luks2"}, 1: {Type: "luks2"}},
			Tokens:   map[int]json.RawMessage{}, Length: 1500,
		},
	}}
	h.put(&luks.Recovery{Keyslots: []int{0}})
	for _, l := range labels {
		h.add(boot(l))
	}
	h.put(&h.expected)
	return h
}

// put puts a token in the lowest free place, or in that of the bootseal token.
func (h *header) put(token luks.Token) int {
	h.t.Helper()
	text, err := token.MarshalJSON()
	if err != nil {
		h.t.Fatal(err)
	}
	id, err := h.Metadata.FreeToken()
	if _, ok := token.(*luks.Boot); ok {
		if b := enrollment.Inspect(h.Header).Boot(); b != nil {
			id, err = b.ID, nil
			h.remove(id)
		}
	}
	if err != nil {
		h.t.Fatal(err)
	}
	h.Metadata.Tokens[id] = text
	h.Metadata.Length += luks.Cost(id, len(text))
	if h.Metadata.Length >= 16384-4096 {
		h.t.Fatalf("the header has no room for token %d", id)
	}
	return id
}

func (h *header) remove(id int) {
	h.Metadata.Length -= luks.Cost(id, len(h.Metadata.Tokens[id]))
	delete(h.Metadata.Tokens, id)
}

func (h *header) add(b plan.Boot) int {
	id := h.put(token(b, 1, false))
	h.expected.Paths = append(h.expected.Paths, luks.Path{Token: id, Label: b.Label, Bank: b.Bank, PCRs: b.PCRs, Events: b.Events})
	return id
}

// volume is the header's, with a boot running.
func (h *header) volume(running string) plan.Volume {
	return plan.Volume{Enrollment: enrollment.Inspect(h.Header), Keyslot: 1, TokenSize: size,
		Running: []pcr.Values{boot(running).Values()}}
}

// fill adds tokens of another program until so many bytes are left.
func (h *header) fill(left int) {
	h.t.Helper()
	text := `{"type":"x","keyslots":[],"v":""}`
	room := h.Room().Bytes - left - luks.Cost(9, len(text))
	h.put(&luks.Unknown{Name: "x", Text: json.RawMessage(strings.Replace(text, `""`, `"`+strings.Repeat("x", room)+`"`, 1))})
	if got := h.Room().Bytes; got != left {
		h.t.Fatalf("%d bytes are left, want %d", got, left)
	}
}

func hash(label string) pcr.Digest {
	return token(boot(label), 1, false).Shards[0].PolicyHash
}

// short is a plan in one line: what goes first, is added, goes, stays, and is left out.
func short(p *plan.Plan) string {
	var out []string
	for _, d := range p.Room {
		out = append(out, "!"+d.Label)
	}
	for _, b := range p.Add {
		out = append(out, "+"+b.Label)
	}
	if p.Expect {
		out = append(out, "expect")
	}
	for _, d := range p.Drop {
		out = append(out, "-"+d.Label)
	}
	for _, k := range p.Keep {
		out = append(out, "="+k.Label)
	}
	for _, l := range p.Left {
		out = append(out, "?"+l.Label)
	}
	return strings.Join(out, " ")
}

func TestReseal(t *testing.T) {
	for _, c := range []struct {
		name    string
		tokens  []string
		running string
		boots   []string
		change  func(*header, *plan.Volume)
		want    string
	}{
		{"nothing is new", []string{"54"}, "54", []string{"54"}, nil, "=54"},
		{"an upgrade", []string{"54"}, "54", []string{"56", "54"}, nil, "+56 expect =54"},
		{"an upgrade that replaces", []string{"54"}, "54", []string{"56"}, nil, "+56 expect =54"},
		{"the same again", []string{"54", "56"}, "54", []string{"56"}, nil, "=54 =56"},
		{"a second update before the reboot", []string{"54", "56"}, "54", []string{"57"},
			func(_ *header, v *plan.Volume) { v.Pending = []pcr.Digest{hash("56")} }, "+57 expect -56 =54"},
		{"one that was booted once stays", []string{"54", "55"}, "55", []string{"56"}, nil, "+56 expect =55 =54"},
		{"a recovery boot", []string{"54"}, "unknown", []string{"56"}, nil, "+56 expect =54"},
		{"nothing can be predicted", []string{"54"}, "54", nil, nil, "=54"},
		{"somebody else's tokens are not touched", []string{"54"}, "54", []string{"54"}, func(h *header, v *plan.Volume) {
			h.Metadata.Keyslots[2] = luks.Keyslot{}
			h.put(token(boot("55"), 2, false))
			h.put(&luks.Unknown{Name: "other", Text: json.RawMessage(`{"type":"other","keyslots":["1"]}`)})
			v.Enrollment = enrollment.Inspect(h.Header)
		}, "=54"},
		{"the bootseal token is lost", []string{"54"}, "54", []string{"54"}, func(h *header, v *plan.Volume) {
			h.remove(enrollment.Inspect(h.Header).Boot().ID)
			v.Enrollment = enrollment.Inspect(h.Header)
		}, "expect =54"},
		{"a keyslot is replaced", []string{"54", "53"}, "unknown", []string{"54"}, func(h *header, v *plan.Volume) {
			h.Metadata.Keyslots[2] = luks.Keyslot{}
			v.Enrollment, v.Keyslot, v.Former = enrollment.Inspect(h.Header), 2, []int{1}
		}, "+54 expect -54 -53"},
		{"a keyslot is replaced that still opens", []string{"54", "53"}, "54", []string{"56"}, func(h *header, v *plan.Volume) {
			h.Metadata.Keyslots[2] = luks.Keyslot{}
			v.Enrollment, v.Keyslot, v.Former = enrollment.Inspect(h.Header), 2, []int{1}
		}, "+56 expect -53 =54"},
		{"another TPM", []string{"54"}, "54", []string{"54"}, func(_ *header, v *plan.Volume) {
			v.Usable = func(*enrollment.Key) bool { return false }
		}, "+54 expect =54"},
		{"with a PIN from now on", []string{"54"}, "54", []string{"54"}, func(_ *header, v *plan.Volume) { v.PIN = true }, "+54 expect =54"},
		{"room for one only", []string{"54"}, "54", []string{"56", "57"}, func(h *header, v *plan.Volume) {
			h.fill(1500)
			v.Enrollment = enrollment.Inspect(h.Header)
		}, "+56 expect =54 ?57"},
		{"room for none", []string{"54"}, "54", []string{"56"}, func(h *header, v *plan.Volume) {
			h.fill(500)
			v.Enrollment = enrollment.Inspect(h.Header)
		}, "=54 ?56"},
		{"what nobody needs makes room", []string{"54", "53"}, "54", []string{"56"}, func(h *header, v *plan.Volume) {
			h.fill(500)
			v.Enrollment = enrollment.Inspect(h.Header)
		}, "!53 +56 expect =54 ?53"},
		{"the unlikely makes room for the likely", []string{"54", "old", "older"}, "54", []string{"56", "old", "older"}, func(h *header, v *plan.Volume) {
			h.fill(500)
			v.Enrollment = enrollment.Inspect(h.Header)
		}, "!older +56 expect =54 =old ?older"},
		{"all 32 tokens are in use", []string{"54", "53"}, "54", []string{"56", "57"}, func(h *header, v *plan.Volume) {
			for len(h.Metadata.Tokens) < luks.MaxTokens {
				h.put(&luks.Unknown{Name: "x", Text: json.RawMessage(`{"type":"x","keyslots":[]}`)})
			}
			v.Enrollment = enrollment.Inspect(h.Header)
		}, "!53 +56 expect =54 ?57 ?53"},
		{"a retired boot", []string{"54", "53"}, "54", []string{"54", "53", "52"},
			func(_ *header, v *plan.Volume) { v.Retired = []string{"53", "of 52"} }, "expect -53 =54 ?53 ?52"},
		{"the running boot's token stays even so", []string{"54"}, "54", []string{"54"},
			func(_ *header, v *plan.Volume) { v.Retired = []string{"54"} }, "=54 ?54"},
	} {
		h := newHeader(t, c.tokens...)
		v := h.volume(c.running)
		if c.change != nil {
			c.change(h, &v)
		}
		p := plan.Reseal(v, boots(c.boots...))
		if got := short(p); got != c.want {
			t.Errorf("%s:\n%s\n%s is wanted", c.name, got, c.want)
		}
		if p.Nothing() != (!strings.ContainsAny(c.want, "!+-") && !strings.Contains(c.want, "expect")) {
			t.Errorf("%s: nothing to do is %v", c.name, p.Nothing())
		}
	}
}

func TestCommit(t *testing.T) {
	for _, c := range []struct {
		name    string
		tokens  []string
		running string
		boots   []string
		want    string
	}{
		{"the upgrade worked", []string{"54", "56"}, "56", []string{"56"}, "expect -54 =56"},
		{"nothing to drop", []string{"56"}, "56", []string{"56"}, "=56"},
		{"another update has come", []string{"54", "56"}, "56", []string{"57", "56"}, "+57 expect -54 =56"},
		{"the old kernel can still boot", []string{"54", "56"}, "56", []string{"56", "54"}, "=56 =54"},
	} {
		p, err := plan.Commit(newHeader(t, c.tokens...).volume(c.running), boots(c.boots...))
		if err != nil || short(p) != c.want {
			t.Errorf("%s: %v\n%s\n%s is wanted", c.name, err, short(p), c.want)
		}
	}
	if _, err := plan.Commit(newHeader(t, "54").volume("unknown"), boots("54")); !errors.Is(err, plan.ErrNotOpened) {
		t.Errorf("after a boot by recovery key: %v", err)
	}
	if _, err := plan.Commit(newHeader(t, "54").volume("54"), nil); err == nil {
		t.Error("without a prediction everything but the running boot was dropped")
	}
}

func TestRetire(t *testing.T) {
	for _, c := range []struct {
		name    string
		running string
		boots   []string
		text    string
		force   bool
		want    string
		err     error
	}{
		{"an old kernel", "56", []string{"56", "54"}, "54", false, "expect -54 =56 ?54", nil},
		{"by its entry", "56", []string{"56", "54"}, "ENTRY OF 54", false, "expect -54 =56 ?54", nil},
		{"the running boot", "56", []string{"56", "54"}, "56", false, "", plan.ErrRunning},
		{"the running boot, forced", "56", []string{"56", "54"}, "56", true, "expect -56 =54 ?56", nil},
		{"the only one", "54", []string{"56"}, "56", false, "", plan.ErrOnlyBoot},
		{"the only one, forced", "54", []string{"56"}, "56", true, "expect -56 =54 ?56", nil},
	} {
		v := newHeader(t, "54", "56").volume(c.running)
		p, err := plan.Retire(v, boots(c.boots...), c.text, c.force)
		if !errors.Is(err, c.err) || err == nil && short(p) != c.want {
			t.Errorf("%s: %v\n%v\n%s is wanted", c.name, err, p, c.want)
		}
	}
	_, err := plan.Retire(newHeader(t, "54").volume("54"), boots("54"), "nothing", false)
	if err == nil || !strings.Contains(err.Error(), "there are\n  54") {
		t.Error(err)
	}
}

// Whatever is in a header and whatever is predicted: the running boot's token stays,
// every step has room for it, and each boot gets at most one token. Looking again finds
// nothing to do, or, where the new tokens came out smaller than was counted on, a likelier
// boot that fits after all, and soon nothing.
func TestPlansHold(t *testing.T) {
	r := rand.New(rand.NewPCG(6, 1))
	for range 1000 {
		var labels []string
		for i := range 1 + r.IntN(7) {
			labels = append(labels, fmt.Sprintf("boot %d", i))
		}
		tokens := slices.Clone(labels)
		r.Shuffle(len(tokens), func(i, j int) { tokens[i], tokens[j] = tokens[j], tokens[i] })
		tokens = tokens[:1+r.IntN(min(len(tokens), 4))]
		h := newHeader(t, tokens...)
		if r.IntN(2) == 0 {
			h.fill(r.IntN(h.Room().Bytes - 100))
		}
		for len(h.Metadata.Tokens) < r.IntN(luks.MaxTokens+1) && h.Room().Bytes > 100 {
			h.put(&luks.Unknown{Name: "x", Text: json.RawMessage(`{"type":"x","keyslots":[]}`)})
		}
		r.Shuffle(len(labels), func(i, j int) { labels[i], labels[j] = labels[j], labels[i] })
		predicted := boots(labels[:r.IntN(len(labels)+1)]...)
		var done []string
		for len(done) < 5 {
			v := h.volume(tokens[0])
			if len(tokens) > 1 {
				v.Pending = []pcr.Digest{hash(tokens[1])}
			}
			p := plan.Reseal(v, predicted)
			done = append(done, short(p))
			if p.Nothing() {
				break
			}
			apply(t, h, p)
			after := enrollment.Inspect(h.Header)
			if opens := after.Fits(boot(tokens[0]).Values()); len(opens) != 1 {
				t.Fatalf("%q: tokens %v open for the running boot", done, opens)
			}
			for _, b := range predicted {
				if opens := after.Fits(b.Values()); len(opens) > 1 {
					t.Fatalf("%q: tokens %v open for %s", done, opens, b.Label)
				}
			}
		}
		if len(done) == 5 {
			t.Fatalf("it does not end: %q", done)
		}
	}
}

// apply does what a plan says, in its order.
func apply(t *testing.T, h *header, p *plan.Plan) {
	t.Helper()
	e := enrollment.Inspect(h.Header)
	for _, d := range p.Room {
		h.remove(d.Token)
	}
	var ids []int
	for _, b := range p.Add {
		ids = append(ids, h.put(token(b, 1, false)))
	}
	for _, d := range p.Drop {
		h.remove(d.Token)
	}
	if p.Expect {
		h.put(p.Expectations(e, 1, ids))
	}
}
