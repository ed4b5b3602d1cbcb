// Package matrix holds predictions against boots, prints what came of them, chain by change by
// PCR, and keeps it in a ledger.
package matrix

import (
	"fmt"
	"maps"
	"slices"
	"strconv"

	"github.com/bootseal/bootseal/eventlog"
	"github.com/bootseal/bootseal/pcr"
	"github.com/bootseal/bootseal/predict"
)

// Cell is what came of predicting one PCR of one boot, in all banks.
type Cell string

// What can come of it.
const (
	Right   Cell = "yes" // predicted, and so it was
	Unknown Cell = "?"   // said to be unknown
	Wrong   Cell = "NO"  // predicted, and it was not so
)

// compared are the PCRs that boot programs measure to. 10 is the running kernel's, from 15 on
// nobody measures before the initial ramdisk.
var compared = [...]int{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 12, 13, 14}

// Row is a boot that was predicted.
type Row struct {
	Change  string          `json:"change"`
	Seconds float64         `json:"seconds"` // that the boot took
	Path    string          `json:"path"`    // the likeliest, which is held against the boot
	PCRs    map[string]Cell `json:"pcrs"`    // by number
	Doubts  []string        `json:"doubts,omitempty"`
	// What says for a wrong prediction what was different, Kept where all about it lies.
	What string `json:"what,omitempty"`
	Kept string `json:"kept,omitempty"`
}

// Cell returns what came of one PCR, "" for one that was not looked at.
func (r *Row) Cell(index int) Cell { return r.PCRs[strconv.Itoa(index)] }

// Wrong reports whether the boot came out otherwise than predicted.
func (r *Row) Wrong() bool { return slices.Contains(slices.Collect(maps.Values(r.PCRs)), Wrong) }

// Chain is a machine that was booted again and again.
type Chain struct {
	Name     string    `json:"name"`
	Chain    string    `json:"chain"` // in words
	Versions []Version `json:"versions"`
	Rows     []Row     `json:"results"`
}

// Version is a package that boots were made with.
type Version struct {
	Package string `json:"package"`
	Version string `json:"version"`
}

// Report is a run.
type Report struct {
	Scenarios []Chain `json:"scenarios"`
}

// Wrong reports whether a boot came out otherwise than predicted.
func (r *Report) Wrong() bool {
	return slices.ContainsFunc(r.Scenarios, func(c Chain) bool {
		return slices.ContainsFunc(c.Rows, func(r Row) bool { return r.Wrong() })
	})
}

// Compare holds a path of a prediction against the PCRs and the event log of the boot. Its row
// lacks the change and the time.
func Compare(p *predict.Path, actual pcr.Values, log []byte) Row {
	out := Row{Path: p.Name, PCRs: make(map[string]Cell)}
	for _, i := range compared {
		c := cellOf(p, actual, i)
		out.PCRs[strconv.Itoa(i)] = c
		if c != Unknown {
			continue
		}
		for _, d := range p.Doubts {
			if d.PCR == i {
				out.Doubts = append(out.Doubts, fmt.Sprintf("PCR %d: %s", i, d.Reason))
			}
		}
	}
	if out.Wrong() {
		out.What = whatDiffered(p, log)
	}
	return out
}

// cellOf holds one PCR of a prediction against the values that came out. A bank that was
// predicted and did not come out, or the other way round, is wrong, too.
func cellOf(p *predict.Path, actual pcr.Values, index int) Cell {
	c := Right
	for _, bank := range pcr.Banks() {
		want, ok := p.PCRs.Get(bank, index)
		got, there := actual.Get(bank, index)
		switch {
		case !ok:
			c = Unknown
		case !there || !want.Equal(got):
			return Wrong
		}
	}
	return c
}

// whatDiffered is one sentence.
func whatDiffered(p *predict.Path, raw []byte) string {
	log, err := eventlog.Parse(raw, eventlog.Limits{})
	if err != nil {
		return "the boot's log cannot be read: " + err.Error()
	}
	differences, err := p.Differences(log)
	if err != nil {
		return "the boot's log cannot be compared: " + err.Error()
	}
	if len(differences) == 0 {
		return "the logs are the same, and so the boot's log does not explain its PCRs"
	}
	text := differences[0].String()
	if n := len(differences) - 1; n > 0 {
		text += fmt.Sprintf("; and %d more", n)
	}
	return text
}
