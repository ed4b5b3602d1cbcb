package eventlog

import (
	"fmt"

	"github.com/bootseal/bootseal/pcr"
)

// Explanation is an event in words, for people and as JSON.
type Explanation struct {
	Index   int                     `json:"index"`
	PCR     int                     `json:"pcr"`
	Type    Type                    `json:"type"`
	Stage   Stage                   `json:"stage"`           // who measured it
	Loads   Stage                   `json:"loads,omitempty"` // which program was loaded
	Text    string                  `json:"text"`            // what was measured, one line
	Check   CheckResult             `json:"check"`
	Digests map[pcr.Bank]pcr.Digest `json:"digests"`
	Kind    string                  `json:"kind"` // of Body
	Body    Body                    `json:"body"`
}

// Explain tells for every event of a log who measured what, and whether the
// digest bears it out. The i-th explanation is about the i-th event.
func Explain(l *Log) []Explanation {
	bodies := decodeAll(l)
	who := stages(l, bodies)
	out := make([]Explanation, len(bodies))
	for i, body := range bodies {
		e := &l.Events[i]
		x := Explanation{Index: e.Index, PCR: e.PCR, Type: e.Type, Stage: who[i].Stage, Loads: who[i].Loads,
			Check: check(e, body), Digests: e.Digests, Kind: body.Kind(), Body: body}
		x.Text = x.words()
		out[i] = x
	}
	return out
}

// words improves on the body's own text with what the rest of the log and the
// digest say.
func (x *Explanation) words() string {
	switch b := x.Body.(type) {
	case Image:
		if x.Loads != "" && x.Loads != Unknown {
			return x.Loads.Title() + ", " + b.where()
		}
	case BootString:
		switch {
		case b.Source == UKISection && x.Check.What == whatName:
			return fmt.Sprintf("unified kernel image, name of section %s", b.Text)
		case b.Source == MokVariable && x.Check.Status == Explained:
			return b.String() + ": " + x.Check.What
		}
	}
	return x.Body.String()
}
