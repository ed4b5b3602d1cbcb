package plan

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/bootseal/bootseal/eventlog"
	"github.com/bootseal/bootseal/pcr"
	"github.com/bootseal/bootseal/predict"
	"github.com/bootseal/bootseal/seal"
)

// Boot is a boot that a token can be sealed to.
type Boot struct {
	// Label is what a person calls it, as it stands in the bootseal token: at most 128
	// bytes that can be printed.
	Label string             `json:"label"`
	Entry string             `json:"entry,omitempty"` // of the boot menu
	Bank  pcr.Bank           `json:"bank"`
	PCRs  map[int]pcr.Digest `json:"pcrs"`
	// Events is a digest, in the bank's algorithm, of the events that lead to PCRs.
	Events pcr.Digest `json:"events"`
	// Log has these events.
	Log *eventlog.Log `json:"-"`
}

// Left is a boot that the volume will not open for by itself.
type Left struct {
	Label  string `json:"label"`
	Reason string `json:"reason"`
}

// Boots returns the ways to boot as values of the chosen PCRs, the likeliest first, and
// those that nothing can be sealed to, each with the reason. Ways that lead to the same
// values are one boot, under the likeliest's name.
//
// Where the choice demands that the initial ramdisk is covered and the chosen PCRs do
// not, as after a change from one boot loader to another, the boot gets the PCRs that do.
func Boots(p *predict.Prediction, c Choice) (boots []Boot, left []Left) {
	for i := range p.Paths {
		path := &p.Paths[i]
		label := Label(path.Name)
		b, reason := newBoot(path, label, c)
		switch {
		case reason != "":
			left = append(left, Left{label, reason})
		case !slices.ContainsFunc(boots, b.Same):
			boots = append(boots, b)
		}
	}
	return boots, left
}

// newBoot returns a way's boot, or why there is none.
func newBoot(path *predict.Path, label string, c Choice) (Boot, string) {
	if path.Halts != "" {
		return Boot{}, "it does not boot: " + path.Halts
	}
	log := path.Log()
	if word := AsksForShell(log); word != "" && !c.Shell {
		return Boot{}, fmt.Sprintf("%q in its command line gives whoever stands before the machine a root shell (to allow it: --allow-shell)", word)
	}
	sel := c.PCRs
	known := path.Known(c.Bank)
	if ram := initrdPCRs(log); c.Initrd && !covers(sel, ram) {
		if ram &= known; ram == 0 {
			return Boot{}, "its initial ramdisk is not measured, and whoever can write to the boot partition could put another one there"
		}
		sel = sel.Union(ram)
	}
	if missing := sel.Without(known); missing != 0 {
		i := missing.Indexes()[0]
		return Boot{}, fmt.Sprintf("PCR %d cannot be predicted: %s", i, doubt(path, c.Bank, i))
	}
	b := Boot{Label: label, Entry: path.Entry, Bank: c.Bank, PCRs: map[int]pcr.Digest{}, Log: log}
	for _, i := range sel.Indexes() {
		b.PCRs[i], _ = path.PCRs.Get(c.Bank, i)
	}
	b.Events = digestEvents(log, c.Bank, sel)
	return b, ""
}

// digestEvents is a hash of each event that leads to the PCRs: its PCR's number, and
// its digest.
func digestEvents(log *eventlog.Log, bank pcr.Bank, sel pcr.Selection) pcr.Digest {
	var parts [][]byte
	for i := range log.Events {
		if e := &log.Events[i]; e.Measured() && sel.Has(e.PCR) {
			parts = append(parts, []byte{byte(e.PCR)}, e.Digests[bank])
		}
	}
	return bank.Sum(parts...)
}

// Same reports whether both boots have the same PCR values.
func (b Boot) Same(other Boot) bool {
	return b.Bank == other.Bank && maps.EqualFunc(b.PCRs, other.PCRs, func(x, y pcr.Digest) bool { return x.Equal(y) })
}

// Values are the boot's PCRs.
func (b Boot) Values() pcr.Values { return pcr.Values{b.Bank: b.PCRs} }

// Policy is the policy of a token for the boot.
func (b Boot) Policy(pin bool) seal.Policy {
	return seal.Policy{Bank: b.Bank, Branches: []seal.Branch{{Label: b.Label, PCRs: b.PCRs}}, PIN: pin}
}

// Matches reports whether a person can mean the boot by the text: it is in its label or
// in its entry of the boot menu.
func (b Boot) Matches(text string) bool { return contains(b.Label, text) || contains(b.Entry, text) }

func contains(s, text string) bool {
	return text != "" && strings.Contains(strings.ToLower(s), strings.ToLower(text))
}

// maxLabel is the longest label of a path in the bootseal token, in bytes.
const maxLabel = 128

// Label makes a text one that can stand in a token: printable, and not too long.
func Label(text string) string {
	text = strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return '\uFFFD'
	}, text)
	const ellipsis = "…"
	if len(text) <= maxLabel {
		return text
	}
	cut := maxLabel - len(ellipsis)
	for !utf8.RuneStart(text[cut]) {
		cut--
	}
	return text[:cut] + ellipsis
}
