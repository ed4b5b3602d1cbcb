package main

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/bootseal/bootseal/node/status"
)

// printCheck prints a paragraph a volume, the ways of the boot below each other.
func (a *app) printCheck(c *checked) {
	paint := newPainter(a.out)
	for _, n := range c.Notes {
		fmt.Fprintln(a.out, wrap(n, width(a.out), ""))
	}
	for i, v := range c.Volumes {
		if i > 0 || len(c.Notes) > 0 {
			fmt.Fprintln(a.out)
		}
		title := paint.paint(bold, v.Volume)
		if v.Volume != v.Device {
			title += paint.paint(dim, " on "+v.Device)
		}
		fmt.Fprintln(a.out, title)
		runs := byLoadOption(v.Ways)
		for j, r := range runs {
			option := r.ways[0].LoadOption()
			if k := slices.IndexFunc(runs[:j], r.like); k >= 0 {
				option += fmt.Sprintf(": as %s, %s", runs[k].ways[0].LoadOption(), runs[k].numbers())
				fmt.Fprintf(a.out, "  %s\n", paint.paint(dim, wrap(option, width(a.out)-2, "    ")))
				continue
			}
			fmt.Fprintf(a.out, "  %s\n", paint.paint(dim, fit(option, width(a.out)-2)))
			for i := range r.ways {
				a.printWay(r.first+i, &r.ways[i])
			}
		}
	}
}

// waysRun are ways one after the other that begin with the same load option.
type waysRun struct {
	first int // the number of the first
	ways  []status.Checked
}

func byLoadOption(ways []status.Checked) (runs []waysRun) {
	for from := 0; from < len(ways); {
		to := from + 1
		for to < len(ways) && ways[to].LoadOption() == ways[from].LoadOption() {
			to++
		}
		runs = append(runs, waysRun{from + 1, ways[from:to]})
		from = to
	}
	return runs
}

// like reports whether both runs read the same, but for the load option: firmware often has
// several that lead to the same boot loader.
func (r waysRun) like(other waysRun) bool {
	return slices.EqualFunc(r.ways, other.ways, func(a, b status.Checked) bool {
		return a.Title() == b.Title() && a.Outcome == b.Outcome && a.Verdict == b.Verdict && a.Says == b.Says && a.Remedy == b.Remedy && slices.Equal(a.Why, b.Why)
	})
}

// numbers are those of the run's ways: "2", "2 to 5".
func (r waysRun) numbers() string {
	if len(r.ways) == 1 {
		return strconv.Itoa(r.first)
	}
	return fmt.Sprintf("%d to %d", r.first, r.first+len(r.ways)-1)
}

const wayIndent = 9

func (a *app) printWay(n int, w *status.Checked) {
	paint, pad := newPainter(a.out), strings.Repeat(" ", wayIndent)
	room := width(a.out) - wayIndent
	mark := a.mark(w.Verdict)
	if w.Outcome == status.Halts && w.Verdict == status.OK {
		mark = "-    " // neither good nor bad
	}
	fmt.Fprintf(a.out, "  %s  %s\n", mark, wrap(fmt.Sprintf("%d. %s", n, w.Title()), room, pad+"   "))
	lines := []string{w.Says}
	if w.Outcome != status.Halts {
		lines = append(lines, few(w.Why)...)
	}
	for _, text := range lines {
		fmt.Fprintf(a.out, "%s   %s\n", pad, wrap(text, room-3, pad+"   "))
	}
	if w.Remedy != "" && w.Verdict != status.OK {
		fmt.Fprintf(a.out, "%s   %s\n", pad, paint.paint(bold, "-> "+wrap(w.Remedy, room-6, pad+"      ")))
	}
}

// few cuts a list of reasons.
func few(reasons []string) []string {
	const most = 4
	if len(reasons) <= most {
		return reasons
	}
	return append(reasons[:most-1:most-1], fmt.Sprintf("and %d more", len(reasons)-most+1))
}

// mark is a verdict in five columns, colored on a terminal.
func (a *app) mark(v status.Verdict) string {
	text, c := map[status.Verdict]string{status.OK: "ok", status.Warn: "warn", status.Bad: "BAD", status.Unknown: "?"}[v],
		map[status.Verdict]color{status.OK: green, status.Warn: yellow, status.Bad: red, status.Unknown: yellow}[v]
	return newPainter(a.out).paint(c, fmt.Sprintf("%-5s", text))
}
