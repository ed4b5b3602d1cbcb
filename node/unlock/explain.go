package unlock

import (
	"context"
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/bootseal/bootseal/eventlog"
	"github.com/bootseal/bootseal/luks"
	"github.com/bootseal/bootseal/node/expect"
	"github.com/bootseal/bootseal/node/volumes"
	"github.com/bootseal/bootseal/pcr"
)

// Evidence is what explains a boot that is refused. None of it is believed: it makes
// words, and decides nothing.
type Evidence struct {
	// Log returns the running boot's event log.
	Log func() (*eventlog.Log, error)
	// Expected returns the events of the boots that were expected for a volume.
	Expected func(ctx context.Context, uuid string) ([]expect.Boot, error)
}

// mismatch is how this boot differs from the nearest that was expected.
type mismatch struct {
	boots  int    // that were expected, as far as that is known
	near          // none where no token has an expectation
	others []near // that differ in as many PCRs
	// blind are the PCRs of tokens without an expectation: one of them differs.
	blind pcr.Selection
}

// near is a boot that was expected, and what differs from it.
type near struct {
	nearest *luks.Path
	pcrs    []pcrMismatch
}

// pcrMismatch is a PCR that is not as it was expected.
type pcrMismatch struct {
	bank       pcr.Bank
	pcr        int
	have, want pcr.Digest
	events     []eventMismatch // nil where log or expectation do not lead to the values
	noLog      bool            // the log does not lead to the PCR's value
}

// eventMismatch is an event that is not as it was expected. One of the texts is empty
// where an event came on top or stayed away.
type eventMismatch struct {
	number         int // in the log; -1 for one that stayed away
	have, want     string
	haveSum, wants pcr.Digest
}

// compare holds PCR values against what the tokens expect.
func compare(all []want, values pcr.Values) *mismatch {
	m := new(mismatch)
	for _, w := range all {
		p := w.token.Expect
		if p == nil {
			m.blind = m.blind.Union(w.PCRs)
			continue
		}
		m.boots++
		// Of two that are as near, the newer token's comes first.
		n := near{p, differences(p, values)}
		switch {
		case m.nearest == nil || len(n.pcrs) < len(m.pcrs):
			m.near, m.others = n, nil
		case len(n.pcrs) == len(m.pcrs):
			m.near, m.others = n, append([]near{m.near}, m.others...)
		}
	}
	return m
}

func differences(p *luks.Path, values pcr.Values) []pcrMismatch {
	var all []pcrMismatch
	for _, n := range slices.Sorted(maps.Keys(p.PCRs)) {
		if have, _ := values.Get(p.Bank, n); !have.Equal(p.PCRs[n]) {
			all = append(all, pcrMismatch{bank: p.Bank, pcr: n, have: have, want: p.PCRs[n]})
		}
	}
	return all
}

// explain returns the nearest boot, which of those that differ in as many PCRs is the one
// with the fewest events that differ, and these events. Log and expected may be nil. What
// does not lead to the values that it is about has nothing to say about them.
func (m *mismatch) explain(log *eventlog.Log, expected []expect.Boot) near {
	if log == nil {
		return m.near
	}
	replayed, err := log.Replay()
	if err != nil {
		return m.near
	}
	words := eventlog.Explain(log)
	best, least := m.near, math.MaxInt
	for _, n := range append([]near{m.near}, m.others...) {
		n.pcrs = n.explain(log, words, replayed, expected)
		if d := n.distance(); d < least {
			best, least = n, d
		}
	}
	return best
}

// distance is how many events differ. PCRs whose events are not known are far off.
func (n *near) distance() int {
	const unknown = 1 << 20
	sum := 0
	for i := range n.pcrs {
		if len(n.pcrs[i].events) == 0 {
			sum += unknown
		}
		sum += len(n.pcrs[i].events)
	}
	return sum
}

func (n *near) explain(log *eventlog.Log, words []eventlog.Explanation, replayed pcr.Values, expected []expect.Boot) []pcrMismatch {
	all := slices.Clone(n.pcrs)
	for i := range all {
		p := &all[i]
		if v, ok := replayed.Get(p.bank, p.pcr); !ok || !v.Equal(p.have) {
			p.noLog = true
			continue
		}
		want, ok := expectedEvents(expected, n.nearest, p)
		if !ok {
			continue
		}
		p.events = align(happened(log, words, p), want)
	}
	return all
}

// step is an event of one PCR.
type step struct {
	number int // in the log
	digest pcr.Digest
	text   string
}

func happened(log *eventlog.Log, words []eventlog.Explanation, p *pcrMismatch) []step {
	var all []step
	for i := range log.Events {
		e := &log.Events[i]
		if d, ok := e.Digests[p.bank]; ok && e.Measured() && e.PCR == p.pcr {
			all = append(all, step{e.Index, d, words[i].Text})
		}
	}
	return all
}

// expectedEvents returns what was expected in a PCR of the boot, and whether it leads to the
// PCR's expected value, which the token's policy vouches for.
func expectedEvents(expected []expect.Boot, boot *luks.Path, p *pcrMismatch) ([]step, bool) {
	for _, b := range expected {
		if v, ok := b.PCRs[p.pcr]; b.Bank != p.bank || !ok || !v.Equal(p.want) {
			continue
		}
		var all []step
		value := pcr.Reset(p.bank, p.pcr, 0)
		for _, e := range b.Events {
			if e.PCR != p.pcr {
				continue
			}
			next, err := pcr.Extend(p.bank, value, e.Digest)
			if err != nil {
				return nil, false
			}
			value = next
			all = append(all, step{-1, e.Digest, e.Description})
		}
		if value.Equal(p.want) {
			return all, true
		}
	}
	return nil, false
}

// maxAligned bounds the work of aligning two lists of events. The longest of a PCR
// that is known are GRUB's, some hundreds.
const maxAligned = 2000

// align returns the events in which two lists differ, in their order. What stays away
// and what comes in its place are one difference.
func align(have, want []step) []eventMismatch {
	have, want = have[:min(len(have), maxAligned)], want[:min(len(want), maxAligned)]
	first := 0
	for first < min(len(have), len(want)) && have[first].digest.Equal(want[first].digest) {
		first++
	}
	have, want = have[first:], want[first:]
	common := commonLengths(have, want)
	var all []eventMismatch
	i, j := 0, 0
	for i < len(have) || j < len(want) {
		if i < len(have) && j < len(want) && have[i].digest.Equal(want[j].digest) {
			i, j = i+1, j+1
			continue
		}
		added, missing := i, j
		for i < len(have) || j < len(want) {
			if i < len(have) && j < len(want) && have[i].digest.Equal(want[j].digest) {
				break
			}
			if j == len(want) || i < len(have) && common[i+1][j] >= common[i][j+1] {
				i++
			} else {
				j++
			}
		}
		all = append(all, pairs(have[added:i], want[missing:j])...)
	}
	return all
}

// pairs puts events that came and events that stayed away side by side.
func pairs(added, missing []step) []eventMismatch {
	all := make([]eventMismatch, max(len(added), len(missing)))
	for n := range all {
		all[n].number = -1
		if n < len(added) {
			all[n].number, all[n].have, all[n].haveSum = added[n].number, added[n].text, added[n].digest
		}
		if n < len(missing) {
			all[n].want, all[n].wants = missing[n].text, missing[n].digest
		}
	}
	return all
}

// commonLengths is the table of the longest common subsequences of all tails.
func commonLengths(have, want []step) [][]uint16 {
	table := make([][]uint16, len(have)+1)
	for i := range table {
		table[i] = make([]uint16, len(want)+1)
	}
	for i := len(have) - 1; i >= 0; i-- {
		for j := len(want) - 1; j >= 0; j-- {
			if have[i].digest.Equal(want[j].digest) {
				table[i][j] = table[i+1][j+1] + 1
			} else {
				table[i][j] = max(table[i+1][j], table[i][j+1])
			}
		}
	}
	return table
}

// show tells a person, in a few lines.
func (m *mismatch) show(c *Console) {
	if m.nearest == nil {
		c.Detail("one of the PCRs %s differs; which one, its tokens do not say", m.blind)
		return
	}
	c.Detail("nearest of %d expected: %s", m.boots, m.nearest.Label)
	for i := range m.pcrs {
		m.pcrs[i].show(c)
	}
}

func (p *pcrMismatch) show(c *Console) {
	switch {
	case p.noLog:
		c.Detail("PCR %d differs: %s instead of %s; the event log does not explain it", p.pcr, short(p.have), short(p.want))
	case len(p.events) == 0:
		c.Detail("PCR %d differs: %s instead of %s", p.pcr, short(p.have), short(p.want))
	default:
		p.events[0].show(c, p.pcr)
		if more := len(p.events) - 1; more > 0 {
			c.More("and %d more of its events", more)
		}
	}
}

func (e *eventMismatch) show(c *Console, index int) {
	switch {
	case e.number < 0:
		c.Detail("PCR %d differs, an event is missing: %s", index, e.want)
	case e.want == "":
		c.Detail("PCR %d differs, event %d is not expected: %s", index, e.number, e.have)
	case e.have == e.want:
		c.Detail("PCR %d differs at event %d: %s", index, e.number, e.have)
		c.More("its digest is %s, and %s was expected", short(e.haveSum), short(e.wants))
	default:
		have, want := aroundChange(e.have, e.want)
		c.Detail("PCR %d differs at event %d: %s (%s)", index, e.number, have, short(e.haveSum))
		c.More("expected: %s (%s)", want, short(e.wants))
	}
}

// aroundChange leaves out of two long texts most of what is the same at their beginning: a command
// line to whose end somebody has added a word is several lines of a console.
func aroundChange(a, b string) (string, string) {
	const whole, begins, before = 160, 24, 40
	same := 0
	for same < min(len(a), len(b)) && a[same] == b[same] {
		same++
	}
	if max(len(a), len(b)) <= whole || same <= begins+before {
		return a, b
	}
	first := begins + strings.IndexByte(a[begins:same], ' ')
	last := strings.LastIndexByte(a[:same-before], ' ')
	if first < begins || last <= first {
		return a, b
	}
	return a[:first] + " ..." + a[last:], b[:first] + " ..." + b[last:]
}

// note is the mismatch for those who read it later.
func (m *mismatch) note() []volumes.Difference {
	var all []volumes.Difference
	for _, p := range m.pcrs {
		d := volumes.Difference{Bank: p.bank, PCR: p.pcr, Have: p.have, Want: p.want}
		if len(p.events) > 0 {
			e := p.events[0]
			if d.Event = e.have; d.Event == "" {
				d.Event = "missing: " + e.want
			}
		}
		all = append(all, d)
	}
	return all
}

// short is the beginning of a digest, enough to tell two apart.
func short(d pcr.Digest) string {
	if len(d) == 0 {
		return "no value"
	}
	return d.String()[:12]
}
