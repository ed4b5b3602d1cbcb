package matrix

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode"
)

// Print prints Markdown: the versions, then a table for each chain.
func (r *Report) Print(w io.Writer) {
	var sets sets
	with := make([]int, len(r.Scenarios))
	for i, c := range r.Scenarios {
		if len(c.Versions) > 0 { // it was begun
			with[i] = sets.number(c.Versions)
		}
	}
	sets.print(w)
	for i, c := range r.Scenarios {
		if len(c.Rows) == 0 {
			continue
		}
		PrintHead(w, c.Chain, c.Name+": change", "versions")
		for _, row := range c.Rows {
			PrintRow(w, row.Change, row.Cell, strconv.Itoa(with[i]))
		}
		for _, row := range c.Rows {
			row.explain(w)
		}
	}
}

// explain says why a row has more than yes.
func (r *Row) explain(w io.Writer) {
	printDoubts(w, r.Change, r.Doubts)
	if !r.Wrong() {
		return
	}
	if len(r.Doubts) == 0 {
		fmt.Fprintf(w, "\n%s:\n\n", plain(r.Change))
	}
	fmt.Fprintf(w, "- wrong, %s; see %s\n", plain(r.What), r.Kept)
}

// printDoubts says why PCRs were said to be unknown.
func printDoubts(w io.Writer, change string, doubts []string) {
	if len(doubts) == 0 {
		return
	}
	fmt.Fprintf(w, "\n%s:\n\n", plain(change))
	for _, d := range doubts {
		fmt.Fprintf(w, "- unknown, %s\n", plain(d))
	}
}

// PrintHead begins a chain's table, with a column for each PCR between one for changes and more.
func PrintHead(w io.Writer, title, changes string, more ...string) {
	fmt.Fprintf(w, "\n## %s\n\n| %s |", plain(title), plain(changes))
	for _, i := range compared {
		fmt.Fprintf(w, " %d |", i)
	}
	for _, m := range more {
		fmt.Fprintf(w, " %s |", m)
	}
	fmt.Fprintf(w, "\n|---|%s\n", strings.Repeat("---|", len(compared)+len(more)))
}

// PrintRow prints what came of a change, with as much behind it as the head has.
func PrintRow(w io.Writer, change string, cell func(pcr int) Cell, more ...string) {
	fmt.Fprintf(w, "| %s |", plain(change))
	for _, i := range compared {
		fmt.Fprintf(w, " %s |", cell(i))
	}
	for _, m := range more {
		fmt.Fprintf(w, " %s |", m)
	}
	fmt.Fprintln(w)
}

// Print prints Markdown: a table for each chain, whose last column names the sets of versions of
// the table at the end.
func (l *Ledger) Print(w io.Writer) {
	for _, h := range l.Chains {
		PrintHead(w, h.Chain, h.Name+": change", "versions")
		for _, s := range h.Rows {
			PrintRow(w, s.Change, s.cell, ranges(s.With))
		}
		for _, s := range h.Rows {
			printDoubts(w, s.Change, s.Doubts)
		}
	}
	fmt.Fprint(w, "\n## Versions of these boots\n\n")
	l.Versions.print(w)
}

// print prints a line for each version of a package, with the numbers of the sets that have it:
// most of a set is as it was in the one before.
func (s sets) print(w io.Writer) {
	fmt.Fprintln(w, "| package | version | in |\n|---|---|---|")
	in := make(map[Version][]int)
	for i, set := range s {
		for name, version := range set {
			v := Version{name, version}
			in[v] = append(in[v], i+1)
		}
	}
	order := func(a, b Version) int {
		if by := strings.Compare(a.Package, b.Package); by != 0 {
			return by
		}
		return slices.Compare(in[a], in[b])
	}
	for _, v := range slices.SortedFunc(maps.Keys(in), order) {
		fmt.Fprintf(w, "| %s | %s | %s |\n", plain(v.Package), plain(v.Version), ranges(in[v]))
	}
}

// ranges is "1–3, 5" of ascending numbers.
func ranges(numbers []int) string {
	var out []string
	for i := 0; i < len(numbers); {
		first := numbers[i]
		for i++; i < len(numbers) && numbers[i] == numbers[i-1]+1; i++ {
		}
		switch last := numbers[i-1]; last - first {
		case 0:
			out = append(out, strconv.Itoa(first))
		case 1:
			out = append(out, strconv.Itoa(first), strconv.Itoa(last))
		default:
			out = append(out, fmt.Sprintf("%d–%d", first, last))
		}
	}
	return strings.Join(out, ", ")
}

// escaper keeps what Markdown would read as its own; a pair of "~" in a version strikes out what is
// between them.
var escaper = strings.NewReplacer(`\`, `\\`, "|", `\|`, "<", `\<`, "~", `\~`, "*", `\*`, "`", "\\`", "[", `\[`)

// plain is a text that stays in its cell: what is in an event log or in a file may have anything
// in it.
func plain(text string) string {
	text = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return unicode.ReplacementChar
		}
		return r
	}, text)
	return strings.TrimSpace(escaper.Replace(text))
}
