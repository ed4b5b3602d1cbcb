package status

import (
	"bytes"
	"fmt"
	"slices"

	"github.com/bootseal/bootseal/luks"
	"github.com/bootseal/bootseal/node/enrollment"
	"github.com/bootseal/bootseal/pcr"
	"github.com/bootseal/bootseal/predict"
	"github.com/bootseal/bootseal/seal/pcrsig"
)

// Outcome is what becomes of a volume on one way that the boot may take.
type Outcome string

// The outcomes.
const (
	Opens   Outcome = "opens"   // the TPM gives the key out
	Refuses Outcome = "refuses" // it does not, and somebody has to type another
	Untold  Outcome = "untold"  // cannot tell
	Halts   Outcome = "halts"   // this way leads to no system
)

// Way is one way that the next boot may take, for one volume.
type Way struct {
	Name    string   `json:"name"` // as in the prediction
	Entry   string   `json:"entry,omitempty"`
	If      []string `json:"if,omitempty"` // as in the prediction
	Default bool     `json:"default"`      // the boot goes this way unless something intervenes
	Outcome Outcome  `json:"outcome"`
	// Tokens open the volume, ascending, and Label is what the first of them was sealed
	// for. PIN says that each of them asks for a PIN.
	Tokens []int  `json:"tokens,omitempty"`
	Label  string `json:"label,omitempty"`
	PIN    bool   `json:"pin,omitempty"`
	// PCRs are those in which the boot differs from the nearest expectation, or which
	// cannot be told; Why are the reasons, in words.
	PCRs []int    `json:"pcrs,omitempty"`
	Why  []string `json:"why,omitempty"`
	// Unsigned says that a signature of the boot is all that is missing.
	Unsigned bool `json:"unsigned,omitempty"`
}

// Foresee says what becomes of a volume on each way of the next boot, in the order of
// the prediction, which has the likeliest first.
func Foresee(p *predict.Prediction, v *Volume) []Way {
	var out []Way
	seen := false
	for i := range p.Paths {
		path := &p.Paths[i]
		w := foresee(path, v)
		w.Name, w.Entry, w.If = path.Name, path.Entry, path.If
		if w.Outcome != Halts && !seen {
			w.Default, seen = true, true
		}
		out = append(out, w)
	}
	return out
}

func foresee(p *predict.Path, v *Volume) Way {
	if p.Halts != "" {
		return Way{Outcome: Halts, Why: []string{p.Halts}}
	}
	if v.Enrollment == nil {
		return Way{Outcome: Untold, Why: []string{"the volume's header cannot be read: " + v.Err.Error()}}
	}
	keys := v.keys()
	if len(keys) == 0 {
		return noKey(v)
	}
	opens := Way{Outcome: Opens, PIN: true}
	refused := Way{Outcome: Refuses}
	signatures := v.signaturesFor(p)
	for _, k := range keys {
		if k.Opaque || !k.fits(p.PCRs) || !k.Approved(p.PCRs, signatures) {
			continue
		}
		if why, ok := v.Refused[k.ID]; ok {
			refused.Why = append(refused.Why, fmt.Sprintf("token %d is for it, and %s", k.ID, why))
			continue
		}
		opens.Tokens, opens.PIN = append(opens.Tokens, k.ID), opens.PIN && k.PIN
		switch {
		case opens.Label != "":
		case k.Expect != nil:
			opens.Label = k.Expect.Label
		case k.Signed != nil:
			opens.Label = enrollment.SignedLabel
		}
	}
	switch {
	case len(opens.Tokens) > 0:
		return opens
	case len(refused.Why) > 0:
		return refused
	}
	return noneFits(p, keys, signatures)
}

// signaturesFor are the machine's, and those that the unified kernel image of the way brings.
func (v *Volume) signaturesFor(p *predict.Path) []pcrsig.File {
	own, err := pcrsig.Parse(bytes.TrimRight(p.Signatures, "\x00")) // sections are padded
	if err != nil {
		return v.Signatures
	}
	return append(slices.Clone(v.Signatures), own)
}

// noKey is about a volume without a token that can be foreseen.
func noKey(v *Volume) Way {
	for _, t := range v.Enrollment.Tokens {
		if c, ok := t.Token.(*luks.Clevis); ok {
			return Way{Outcome: Untold, Why: []string{fmt.Sprintf("token %d is clevis's (%s), which nothing tells the boots of: bootseal adopt takes it over", t.ID, c.Pin)}}
		}
	}
	return Way{Outcome: Refuses, Why: []string{"the volume has no token that a TPM is asked for"}}
}

// noneFits says why no token is for a boot: what cannot be told of one that might be, or
// else what differs from the nearest boot that was expected.
func noneFits(p *predict.Path, keys []key, signatures []pcrsig.File) Way {
	near, nearest := (*key)(nil), pcr.Selection(0)
	var unsigned []string
	for i := range keys {
		k := &keys[i]
		if w, maybe := couldBe(p, k, signatures); maybe {
			return w
		}
		if k.Signed != nil && k.fits(p.PCRs) {
			unsigned = append(unsigned, k.unsigned(p, signatures))
		}
		if k.Expect == nil {
			continue
		}
		if differ := differing(p.PCRs, k.Expect); near == nil || differ.Len() < nearest.Len() {
			near, nearest = k, differ
		}
	}
	if near == nil && len(unsigned) == 0 {
		return Way{Outcome: Refuses, Why: []string{"no token is for this boot"}}
	}
	w := Way{Outcome: Refuses, PCRs: nearest.Indexes(), Why: append(unsigned, news(p, nearest)...), Unsigned: len(unsigned) > 0}
	if len(w.Why) == 0 {
		w.Why = []string{fmt.Sprintf("no token is for this boot; the nearest is token %d, %q", near.ID, near.Expect.Label)}
	}
	return w
}

// couldBe reports whether a token that is not known to be for the boot may be for it all
// the same, and what cannot be told.
func couldBe(p *predict.Path, k *key, signatures []pcrsig.File) (Way, bool) {
	if k.Opaque {
		return Way{Outcome: Untold, Why: []string{fmt.Sprintf("token %d has a policy that PCR values do not tell all of (pcrlock's, or a newer systemd's)", k.ID)}}, true
	}
	bank := k.Banks[0]
	if unknown := k.needs().Without(p.Known(bank)); unknown != 0 {
		return Way{Outcome: Untold, PCRs: unknown.Indexes(), Why: doubts(p, bank, unknown)}, !contradicted(p, k)
	}
	if k.Signed == nil || !k.fits(p.PCRs) {
		return Way{}, false
	}
	w := Way{Outcome: Untold, PCRs: k.Signed.PCRs.Indexes(), Why: []string{k.unsigned(p, signatures)}}
	switch {
	case k.ApprovedForSystemd(p.PCRs, signatures): // what the coming ramdisk has in it nobody knows
		return w, true
	case len(p.Signatures) == 0:
		w.Why[0] += ", but the initial ramdisk may have one"
		return w, true
	}
	return Way{}, false
}

// unsigned says what a key with a signed policy wants, and what there is in its place.
func (k *key) unsigned(p *predict.Path, signatures []pcrsig.File) string {
	return fmt.Sprintf("token %d wants PCR %s signed: %s", k.ID, k.Signed.PCRs, k.WhyNotApproved(p.PCRs, signatures))
}

// contradicted reports whether a PCR value that is known is not the one that the token was
// sealed for.
func contradicted(p *predict.Path, k *key) bool {
	if k.Expect == nil {
		return false
	}
	for i, want := range k.Expect.PCRs {
		if have, ok := p.PCRs.Get(k.Expect.Bank, i); ok && !have.Equal(want) {
			return true
		}
	}
	return false
}

// differing returns the PCRs whose value is not the expected one.
func differing(values pcr.Values, expect *luks.Path) pcr.Selection {
	var sel pcr.Selection
	for i, want := range expect.PCRs {
		if have, ok := values.Get(expect.Bank, i); !ok || !have.Equal(want) {
			sel = sel.With(i)
		}
	}
	return sel
}

// doubts returns why PCRs cannot be told, each reason once.
func doubts(p *predict.Path, b pcr.Bank, pcrs pcr.Selection) []string {
	var out []string
	for _, d := range p.Doubts {
		if reason := fmt.Sprintf("PCR %d: %s", d.PCR, d.Reason); pcrs.Has(d.PCR) && !slices.Contains(out, reason) {
			out = append(out, reason)
		}
	}
	if len(out) == 0 {
		out = append(out, fmt.Sprintf("the prediction has no %s PCR %s: the firmware does not log this bank", b, pcrs))
	}
	return out
}

// news returns what the running boot did not have in these PCRs: a line each, with
// the first of its reasons.
func news(p *predict.Path, pcrs pcr.Selection) []string {
	var out []string
	for _, i := range pcrs.Indexes() {
		var reasons []string
		for k := range p.Events {
			e := &p.Events[k]
			if e.PCR == i && e.IsNew() && e.Reason != "" && !slices.Contains(reasons, e.Reason) {
				reasons = append(reasons, e.Reason)
			}
		}
		switch len(reasons) {
		case 0:
		case 1:
			out = append(out, fmt.Sprintf("PCR %d: %s", i, reasons[0]))
		default:
			out = append(out, fmt.Sprintf("PCR %d: %s, and %d more", i, reasons[0], len(reasons)-1))
		}
	}
	return out
}
