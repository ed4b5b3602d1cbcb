package main

import (
	"fmt"
	"strings"

	"github.com/bootseal/bootseal/node/plan"
	"github.com/bootseal/bootseal/node/reseal"
)

func (a *app) showResealed(out *resealed, flags *resealFlags) error {
	if a.wantsJSON() {
		return a.printJSON(out)
	}
	for _, n := range out.Notes {
		fmt.Fprintln(a.out, wrap(n, width(a.out), ""))
	}
	for i, r := range out.Volumes {
		if i > 0 || len(out.Notes) > 0 {
			fmt.Fprintln(a.out)
		}
		a.printResealed(r, flags)
	}
	return nil
}

// printResealed prints what became of a volume's tokens, a line each.
func (a *app) printResealed(r *reseal.Result, flags *resealFlags) {
	paint := newPainter(a.out)
	fmt.Fprintf(a.out, "%s, keyslot %d, sealed to %s PCRs %s\n", r.Device, r.Keyslot, r.Bank, r.PCRs)
	if r.Resumed != "" {
		fmt.Fprintf(a.out, "  An earlier %s was cut off; this one goes on from what is on the disk.\n", r.Resumed)
	}
	does := func(done, would string) string {
		if flags.dryRun {
			return would
		}
		return done
	}
	line := func(what, text string) {
		const indent = 14
		fmt.Fprintf(a.out, "  %-12s%s\n", what, wrap(text, width(a.out)-indent, strings.Repeat(" ", indent)))
	}
	for _, k := range r.Plan.Keep {
		line("keeps", fmt.Sprintf("token %d, %s: %s", k.Token, k.Label, k.Why))
	}
	for i, b := range r.Plan.Add {
		text := b.Label
		if i < len(r.Added) {
			text = fmt.Sprintf("token %d, %s", r.Added[i].Token, b.Label)
		}
		line(does("added", "would add"), text)
	}
	for _, d := range append(append([]plan.Drop(nil), r.Plan.Room...), r.Plan.Drop...) {
		line(does("dropped", "would drop"), fmt.Sprintf("token %d, %s: %s", d.Token, d.Label, d.Reason))
	}
	for _, l := range r.Plan.Left {
		line("not", l.Label+": "+l.Reason)
	}
	if r.Advanced {
		line("closed", "whatever was sealed before, in copies of the header, too: the rollback guard has moved")
	}
	for _, s := range r.Killed {
		line("destroyed", fmt.Sprintf("keyslot %d, which a new key has replaced", s))
	}
	for _, w := range r.Warnings {
		line("note", w)
	}
	switch {
	case r.Opens && r.Plan.Nothing():
		fmt.Fprintln(a.out, "  "+paint.paint(green, "Nothing is new: the next boot opens it."))
	case r.Opens:
		fmt.Fprintln(a.out, "  "+paint.paint(green, does("The next boot opens it.", "The next boot would open it.")))
	default:
		fmt.Fprintln(a.out, "  "+paint.paint(red, wrap("The next boot does not open it: "+r.Next, width(a.out)-2, "  ")))
	}
}
