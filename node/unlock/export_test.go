package unlock

import (
	"slices"

	"github.com/bootseal/bootseal/eventlog"
	"github.com/bootseal/bootseal/luks"
	"github.com/bootseal/bootseal/node/expect"
	"github.com/bootseal/bootseal/pcr"
)

// ExplainForTest explains a boot with the log, where another one was expected: without
// the event at a place of the PCR's, and with the words for all others.
func ExplainForTest(log *eventlog.Log, words string, at, index int, c *Console) {
	values, err := log.Replay()
	if err != nil {
		return
	}
	for bank, of := range values {
		other := log.Clone()
		if n := len(other.Events); n > 0 {
			other.Events = slices.Delete(other.Events, at%n, at%n+1)
		}
		wanted, err := other.Replay()
		if err != nil {
			return
		}
		expected := expect.New(words, bank, map[int]pcr.Digest{index: wanted[bank][index]}, other)
		for i := range expected.Events {
			expected.Events[i].Description = words
		}
		path := &luks.Path{Label: words, Bank: bank, PCRs: expected.PCRs}
		m := &mismatch{boots: 1, near: near{path, differences(path, pcr.Values{bank: of})}}
		m.near = m.explain(log, []expect.Boot{expected})
		m.show(c)
		m.note()
	}
}
