package main

import (
	"fmt"
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
		option := ""
		for j, w := range v.Ways {
			if w.LoadOption() != option {
				option = w.LoadOption()
				fmt.Fprintf(a.out, "  %s\n", paint.paint(dim, fit(option, width(a.out)-2)))
			}
			a.printWay(j+1, &w)
		}
	}
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
