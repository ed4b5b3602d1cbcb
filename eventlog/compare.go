package eventlog

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

	"github.com/bootseal/bootseal/pcr"
)

// Change says how two logs differ in one event.
type Change string

// The changes.
const (
	Changed Change = "changed" // the same thing, with other contents
	Added   Change = "added"   // only in the second log
	Removed Change = "removed" // only in the first log
	Moved   Change = "moved"   // the same, at another place among the PCR's events
)

// Difference is one event in which two logs differ.
type Difference struct {
	Change  Change `json:"change"`
	PCR     int    `json:"pcr"`
	Stage   Stage  `json:"stage"`
	Subject string `json:"subject"` // what is measured: "GRUB, /EFI/BOOT/grubx64.efi"
	// From and To are what the two logs say about it: contents in words if InWords,
	// else digests in Bank, as hex. From is "" for Added, To for Removed.
	From    string   `json:"from,omitempty"`
	To      string   `json:"to,omitempty"`
	InWords bool     `json:"inWords"`
	Bank    pcr.Bank `json:"bank"`
	// Before and After are the events in the first and the second log, nil where
	// there is none.
	Before *Explanation `json:"before,omitempty"`
	After  *Explanation `json:"after,omitempty"`
}

// String is one line: "PCR 4, event 33 (GRUB, /EFI/BOOT/grubx64.efi): digest
// aa... instead of bb...", with digests shortened. Events have their numbers in
// the second log, removed ones in the first.
func (d Difference) String() string {
	where := fmt.Sprintf("PCR %d", d.PCR)
	switch {
	case d.After != nil:
		where += fmt.Sprintf(", event %d", d.After.Index)
	case d.Before != nil:
		where += fmt.Sprintf(", event %d of the first log", d.Before.Index)
	}
	where += " (" + d.Subject + "): "
	from, to := d.shown()
	switch d.Change {
	case Added:
		return where + "added, " + to
	case Removed:
		if !d.InWords {
			from = "digest " + from
		}
		return where + "removed, " + from
	case Moved:
		return where + fmt.Sprintf("moved, it was event %d", d.Before.Index)
	}
	return where + to + " instead of " + from
}

// shown returns From and To for a line of text.
func (d Difference) shown() (from, to string) {
	if !d.InWords {
		return clipHex(d.From), "digest " + clipHex(d.To)
	}
	from, to = d.From, d.To
	if d.Change == Changed {
		from, to = aroundChange(from, to)
	}
	return `"` + quote(from) + `"`, `"` + quote(to) + `"`
}

// aroundChange cuts long strings that start alike, so that the place where they
// differ is not cut off at the end.
func aroundChange(a, b string) (string, string) {
	const context = 40
	if len(a) <= maxWords && len(b) <= maxWords {
		return a, b
	}
	ra, rb := []rune(a), []rune(b)
	n := 0
	for n < len(ra) && n < len(rb) && ra[n] == rb[n] {
		n++
	}
	if n <= 2*context {
		return a, b
	}
	return "..." + string(ra[n-context:]), "..." + string(rb[n-context:])
}

// Compare returns what differs from log a to log b, by PCR and in the order of
// b. Events are aligned by what was measured, not by their numbers, and differ
// if their digests do: addresses and other data that is not measured do not
// count. Two logs without a difference lead to the same PCR values.
//
// Logs that have no bank in common cannot be compared. Other errors are those of
// [Log.StartupLocality].
func Compare(a, b *Log) ([]Difference, error) {
	banks := commonBanks(a, b)
	if len(banks) == 0 {
		return nil, errors.New("compare event logs: they have no digest algorithm in common")
	}
	var out []Difference
	locA, err := a.StartupLocality()
	if err != nil {
		return nil, fmt.Errorf("compare event logs: first log: %w", err)
	}
	locB, err := b.StartupLocality()
	if err != nil {
		return nil, fmt.Errorf("compare event logs: second log: %w", err)
	}
	if locA != locB {
		out = append(out, Difference{Change: Changed, Stage: Firmware, Bank: banks[0],
			Subject: "locality at which the TPM was started", InWords: true,
			From: fmt.Sprint(locA), To: fmt.Sprint(locB)})
	}
	itemsA, itemsB := items(a), items(b)
	for i := range pcr.Count {
		c := comparison{pcr: i, banks: banks, a: itemsA[i], b: itemsB[i]}
		out = append(out, c.run()...)
	}
	return out, nil
}

// commonBanks lists the banks of both logs, the one to show digests in first.
func commonBanks(a, b *Log) []pcr.Bank {
	var out []pcr.Bank
	for _, bank := range a.Banks() {
		if slices.Contains(b.Banks(), bank) {
			out = append(out, bank)
		}
	}
	if i := slices.Index(out, pcr.SHA256); i > 0 {
		out[0], out[i] = out[i], out[0]
	}
	return out
}

// item is a measured event of a log.
type item struct {
	x *Explanation
	s subject
}

// items returns the measured events of a log by PCR.
func items(l *Log) [pcr.Count][]item {
	var out [pcr.Count][]item
	xs := Explain(l)
	for i := range xs {
		if x := &xs[i]; l.Events[i].Measured() && x.PCR >= 0 && x.PCR < pcr.Count {
			out[x.PCR] = append(out[x.PCR], item{x, subjectOf(x)})
		}
	}
	return out
}

// comparison compares the events of one PCR.
type comparison struct {
	pcr   int
	banks []pcr.Bank
	a, b  []item
}

func (c *comparison) equal(i, j int) bool {
	for _, bank := range c.banks {
		if !c.a[i].x.Digests[bank].Equal(c.b[j].x.Digests[bank]) {
			return false
		}
	}
	return true
}

func (c *comparison) run() []Difference {
	same := align(len(c.a), len(c.b), c.equal)
	restA, restB := c.unmatched(same)
	if len(restA)+len(restB) == 0 {
		return nil
	}
	digest := func(items []item) func(int) string {
		return func(i int) string { return c.digests(items[i]) }
	}
	key := func(items []item, of func(subject) string) func(int) string {
		return func(i int) string { return of(items[i].s) }
	}
	exact := func(s subject) string { return s.exact }
	family := func(s subject) string { return s.family }

	moved, restA, restB := match(restA, restB, digest(c.a), digest(c.b))
	changed, restA, restB := match(restA, restB, key(c.a, exact), key(c.b, exact))
	replaced, restA, restB := match(restA, restB, key(c.a, family), key(c.b, family))

	var out []Difference
	for _, p := range moved {
		out = append(out, c.difference(Moved, p))
	}
	for _, p := range append(changed, replaced...) {
		out = append(out, c.difference(Changed, p))
	}
	for _, i := range restA {
		out = append(out, c.difference(Removed, pair{i, -1}))
	}
	for _, j := range restB {
		out = append(out, c.difference(Added, pair{-1, j}))
	}
	slices.SortStableFunc(out, func(x, y Difference) int { return cmp.Compare(x.position(), y.position()) })
	return out
}

// digests is a key that is equal for equal digests in all banks.
func (c *comparison) digests(it item) string {
	var k string
	for _, bank := range c.banks {
		k += string(it.x.Digests[bank]) + "|"
	}
	return k
}

func (c *comparison) unmatched(pairs []pair) (restA, restB []int) {
	i, j := 0, 0
	for _, p := range append(pairs, pair{len(c.a), len(c.b)}) {
		for ; i < p.a; i++ {
			restA = append(restA, i)
		}
		for ; j < p.b; j++ {
			restB = append(restB, j)
		}
		i, j = p.a+1, p.b+1
	}
	return restA, restB
}

func (c *comparison) difference(change Change, p pair) Difference {
	d := Difference{Change: change, PCR: c.pcr, Bank: c.banks[0]}
	var a, b subject
	if p.a >= 0 {
		d.Before, a = c.a[p.a].x, c.a[p.a].s
		d.Stage, d.Subject = d.Before.Stage, a.label
	}
	if p.b >= 0 {
		d.After, b = c.b[p.b].x, c.b[p.b].s
		d.Stage, d.Subject = d.After.Stage, b.label
	}
	// Words tell more than digests, unless they are the same.
	d.InWords = a.value != b.value && (p.a < 0 || a.value != "") && (p.b < 0 || b.value != "")
	show := func(x *Explanation, value string) string {
		if d.InWords {
			return value
		}
		return x.Digests[d.Bank].String()
	}
	if d.Before != nil {
		d.From = show(d.Before, a.value)
	}
	if d.After != nil {
		d.To = show(d.After, b.value)
	}
	return d
}

// position orders differences by event number.
func (d Difference) position() int {
	if d.After != nil {
		return d.After.Index
	}
	return d.Before.Index
}
