package predict

import (
	"fmt"
	"slices"

	"github.com/bootseal/bootseal/eventlog"
	"github.com/bootseal/bootseal/pcr"
)

// Miss is a PCR that came out otherwise than predicted.
type Miss struct {
	Bank      pcr.Bank   `json:"bank"`
	PCR       int        `json:"pcr"`
	Predicted pcr.Digest `json:"predicted"`
	Actual    pcr.Digest `json:"actual"` // nil if there is no value
}

// String is one line with shortened digests.
func (m Miss) String() string {
	if m.Actual == nil {
		return fmt.Sprintf("%s PCR %d: predicted %s, and no value was given", m.Bank, m.PCR, short(m.Predicted))
	}
	return fmt.Sprintf("%s PCR %d: predicted %s, is %s", m.Bank, m.PCR, short(m.Predicted), short(m.Actual))
}

func short(d pcr.Digest) string {
	s := d.String()
	if len(s) > 16 {
		s = s[:16] + "..."
	}
	return s
}

// Misses holds the prediction against the values that the boot led to: every
// predicted PCR that is not in values, or is different there, in the banks that
// values have. None for a prediction that came true; values without a bank of
// the prediction say nothing and are an error.
func (p *Path) Misses(values pcr.Values) ([]Miss, error) {
	var out []Miss
	compared := false
	for _, b := range p.PCRs.Banks() {
		if values.Selection(b).Len() == 0 {
			continue
		}
		compared = true
		for _, i := range p.Known(b).Indexes() {
			want, _ := p.PCRs.Get(b, i)
			if got, ok := values.Get(b, i); !ok || !slices.Equal(got, want) {
				out = append(out, Miss{Bank: b, PCR: i, Predicted: want, Actual: got})
			}
		}
	}
	if !compared {
		return nil, fmt.Errorf("compare with the prediction: the values have none of its banks")
	}
	return out, nil
}

// Differences holds the prediction against the log of the boot, event by event:
// "before" is the prediction. PCRs that were not predicted do not count, because
// that they would be different was said. Errors are those of [eventlog.Compare].
func (p *Path) Differences(actual *eventlog.Log) ([]eventlog.Difference, error) {
	all, err := eventlog.Compare(p.Log(), actual)
	if err != nil {
		return nil, fmt.Errorf("compare with the prediction: %w", err)
	}
	return slices.DeleteFunc(all, func(d eventlog.Difference) bool { return slices.Contains(p.Unknown, d.PCR) }), nil
}
