package status

import (
	"fmt"
	"slices"

	"github.com/bootseal/bootseal/luks"
	"github.com/bootseal/bootseal/node/enrollment"
	"github.com/bootseal/bootseal/pcr"
	"github.com/bootseal/bootseal/predict"
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
	Name    string  `json:"name"` // as in the prediction
	Entry   string  `json:"entry,omitempty"`
	Default bool    `json:"default"` // the boot goes this way unless something intervenes
	Outcome Outcome `json:"outcome"`
	// Tokens open the volume, ascending, and Label is what the first of them was sealed
	// for. PIN says that each of them asks for a PIN.
	Tokens []int  `json:"tokens,omitempty"`
	Label  string `json:"label,omitempty"`
	PIN    bool   `json:"pin,omitempty"`
	// PCRs are those in which the boot differs from the nearest expectation, or which
	// cannot be told; Why are the reasons, in words.
	PCRs []int    `json:"pcrs,omitempty"`
	Why  []string `json:"why,omitempty"`
}

// Foresee says what becomes of a volume on each way of the next boot, in the order of
// the prediction, which has the likeliest first.
func Foresee(p *predict.Prediction, v *Volume) []Way {
	var out []Way
	seen := false
	for i := range p.Paths {
		path := &p.Paths[i]
		w := foresee(path, v)
		w.Name, w.Entry = path.Name, path.Entry
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
	var refused []string
	w := Way{Outcome: Opens, PIN: true}
	for _, id := range v.Enrollment.Opens(p.PCRs) {
		if why, ok := v.Refused[id]; ok {
			refused = append(refused, fmt.Sprintf("token %d is for it, and %s", id, why))
			continue
		}
		t := v.Enrollment.Token(id)
		w.Tokens = append(w.Tokens, id)
		w.PIN = w.PIN && t.SystemdTPM2().PIN
		if w.Label == "" && t.Expect != nil {
			w.Label = t.Expect.Label
		}
	}
	switch {
	case len(w.Tokens) > 0:
		return w
	case len(refused) > 0:
		return Way{Outcome: Refuses, Why: refused}
	case len(v.sealed()) == 0:
		return noToken(v)
	}
	return refuse(p, v)
}

// noToken is about a volume without a token that can be foreseen.
func noToken(v *Volume) Way {
	w := Way{Outcome: Refuses, Why: []string{"the volume has no token that a TPM is asked for"}}
	for _, t := range v.Enrollment.Tokens {
		if c, ok := t.Token.(*luks.Clevis); ok {
			w = Way{Outcome: Untold, Why: []string{fmt.Sprintf("token %d is clevis's (%s), which nothing tells the boots of: bootseal adopt takes it over", t.ID, c.Pin)}}
		}
	}
	return w
}

// refuse says why no token is for a boot: which PCR cannot be told, or what differs
// from the nearest boot that was expected.
func refuse(p *predict.Path, v *Volume) Way {
	w := Way{Outcome: Refuses}
	var near *enrollment.Token
	var nearest pcr.Selection
	for _, t := range v.sealed() {
		s := t.SystemdTPM2()
		if !s.Literal() {
			return Way{Outcome: Untold, Why: []string{fmt.Sprintf("token %d has a signed policy, or another that PCR values do not tell all of", t.ID)}}
		}
		if unknown := s.PCRs.Without(p.Known(bankOf(s))); unknown != 0 {
			if couldBe(p, t) {
				w.Outcome, w.PCRs, w.Why = Untold, unknown.Indexes(), doubts(p, bankOf(s), unknown)
			}
			continue
		}
		if t.Expect == nil {
			continue
		}
		if differ := differing(p.PCRs, t.Expect); near == nil || differ.Len() < nearest.Len() {
			near, nearest = t, differ
		}
	}
	if w.Outcome == Untold {
		return w
	}
	if near == nil {
		w.Why = []string{"no token is for this boot"}
		return w
	}
	w.PCRs = nearest.Indexes()
	w.Why = news(p, nearest)
	if len(w.Why) == 0 {
		w.Why = []string{fmt.Sprintf("no token is for this boot; the nearest is token %d, %q", near.ID, near.Expect.Label)}
	}
	return w
}

func bankOf(s *luks.SystemdTPM2) pcr.Bank {
	if s.Bank == 0 {
		return pcr.SHA256
	}
	return s.Bank
}

// couldBe reports whether a token may be for the boot as far as that is known: no PCR
// value that is known contradicts what was expected.
func couldBe(p *predict.Path, t *enrollment.Token) bool {
	if t.Expect == nil {
		return true
	}
	for i, want := range t.Expect.PCRs {
		if have, ok := p.PCRs.Get(t.Expect.Bank, i); ok && !have.Equal(want) {
			return false
		}
	}
	return true
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
