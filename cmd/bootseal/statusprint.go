package main

import (
	"fmt"
	"strings"

	"github.com/bootseal/bootseal/node/status"
)

// printStatus prints a line for each thing, with what is more to say about it and the
// remedy below.
func (a *app) printStatus(r *status.Report) {
	paint := newPainter(a.out)
	warnings := 0
	for i, s := range r.Sections {
		if i > 0 {
			fmt.Fprintln(a.out)
		}
		fmt.Fprintln(a.out, paint.paint(bold, fit(s.Name, width(a.out))))
		for _, l := range s.Lines {
			a.printLine(&l)
			if l.Verdict == status.Warn {
				warnings++
			}
		}
	}
	switch {
	case r.Verdict == status.OK:
		fmt.Fprintln(a.out, "\n"+paint.paint(green, "Everything is in order."))
	case r.Verdict == status.Warn:
		fmt.Fprintf(a.out, "\n%s\n", paint.paint(yellow, fmt.Sprintf("The disks will open. Warnings: %d.", warnings)))
	}
}

const (
	lineMark = 2 + 5 + 1 // "  warn  "
	lineWhat = 11        // "Secure Boot"
)

func (a *app) printLine(l *status.Line) {
	paint, indent := newPainter(a.out), lineMark+lineWhat+2
	pad := strings.Repeat(" ", indent)
	room := width(a.out) - indent
	fmt.Fprintf(a.out, "  %s %-*s  %s\n", a.mark(l.Verdict), lineWhat, l.What, wrap(l.Says, room, pad))
	for _, text := range l.More {
		fmt.Fprintln(a.out, pad+paint.paint(dim, wrap(text, room, pad)))
	}
	if l.Remedy != "" {
		fmt.Fprintln(a.out, pad+paint.paint(bold, "-> "+wrap(l.Remedy, room-3, pad+"   ")))
	}
}
