package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/bootseal/bootseal/bootchain"
	"github.com/bootseal/bootseal/internal/picture"
	"github.com/bootseal/bootseal/pcr"
	"github.com/bootseal/bootseal/predict"
	"github.com/spf13/cobra"
)

// predicted is "predict -o json".
type predicted struct {
	Paths []predict.Path `json:"paths"`
	Notes []string       `json:"notes,omitempty"` // about the input
}

func (a *app) predict() *cobra.Command {
	var flags machineFlags
	var entry, svg string
	var explain bool
	cmd := &cobra.Command{
		Use:   "predict",
		Short: "Say which PCR values the next boot will have, and why",
		Long: `Predict the PCR values of the next boot, at the moment when the initial ramdisk unlocks the
disk: for every way that the boot may take, each load option of the firmware and each entry of
the boot menu, the likeliest first.

The events of the boot are computed from the files that it will read, from the firmware's
variables and from the partition table; what only the firmware knows is copied from the log of
the running boot. A PCR that cannot be told is said to be unknown: never seal to it.
` + machineHelp,
		Example: `  bootseal predict
  bootseal predict --explain --entry 6.1.0-56
  bootseal predict --log eventlog.bin --esp esp.img --efivars efivars.json --pcrs pcrs.txt -o json
  bootseal predict --dbx DBXUpdate.bin`,
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			m, err := a.readMachine(&flags)
			a.doneReading()
			if err != nil {
				return err
			}
			p, err := predict.Next(m.Input)
			if err != nil {
				return err
			}
			paths, err := chosenPaths(p.Paths, entry)
			if err != nil {
				return err
			}
			if svg != "" {
				if err := writeFile(svg, picture.Path(&paths[0])); err != nil {
					return err
				}
			}
			if a.wantsJSON() {
				return a.printJSON(predicted{paths, m.notes})
			}
			return a.printPrediction(m, paths, explain)
		},
	}
	flags.register(cmd)
	cmd.Flags().StringVar(&entry, "entry", "", "only ways whose name or boot menu entry has this in it")
	cmd.Flags().BoolVar(&explain, "explain", false, "show every event with its reason")
	cmd.Flags().StringVar(&svg, "svg", "", "draw the likeliest way into this file")
	return cmd
}

// chosenPaths returns those whose name has the text in it.
func chosenPaths(paths []predict.Path, text string) ([]predict.Path, error) {
	chosen := slices.DeleteFunc(slices.Clone(paths), func(p predict.Path) bool {
		return !strings.Contains(strings.ToLower(p.Name+" "+p.Entry), strings.ToLower(text))
	})
	if len(chosen) > 0 {
		return chosen, nil
	}
	var names []string
	for _, p := range paths {
		names = append(names, "  "+p.Name)
	}
	return nil, fmt.Errorf("--entry %s: no way to boot has this in its name; there are\n%s", text, strings.Join(names, "\n"))
}

func (a *app) printPrediction(m *machine, paths []predict.Path, explain bool) error {
	paint := newPainter(a.out)
	for _, n := range m.notes {
		fmt.Fprintln(a.out, wrap(n, width(a.out), ""))
	}
	if len(m.notes) > 0 {
		fmt.Fprintln(a.out)
	}
	now := m.now()
	for i := range paths {
		p := &paths[i]
		title := fmt.Sprintf("%d. %s", i+1, p.Name)
		fmt.Fprintln(a.out, paint.paint(bold, wrap(title, width(a.out), "   ")))
		if p.Halts != "" {
			fmt.Fprintln(a.out, "   "+paint.paint(red, wrap("This way does not boot: "+p.Halts+".", width(a.out)-3, "   ")))
		}
		fmt.Fprintln(a.out)
		if explain {
			a.printPredictedEvents(p)
		}
		a.printPredictedValues(p, now)
		a.printUnknown(p)
	}
	return nil
}

// now returns the values of the running boot: the TPM's, else those that the log
// leads to.
func (m *machine) now() pcr.Values {
	if m.Log == nil {
		return m.PCRs
	}
	values, err := m.Log.Replay()
	if err != nil {
		return m.PCRs
	}
	return values
}

// mainBank is the one to show, and to know files by: SHA-256 where there is one.
func mainBank(banks []pcr.Bank) pcr.Bank {
	if len(banks) == 0 || slices.Contains(banks, pcr.SHA256) {
		return pcr.SHA256
	}
	return banks[len(banks)-1]
}

// printPredictedValues prints a line a PCR that events lead to.
func (a *app) printPredictedValues(p *predict.Path, now pcr.Values) {
	bank := mainBank(p.PCRs.Banks())
	paint := newPainter(a.out)
	fmt.Fprintf(a.out, "   PCR  %s\n", bank)
	for _, i := range p.Known(bank).Indexes() {
		value, _ := p.PCRs.Get(bank, i)
		events := eventsOf(p, i)
		if len(events) == 0 {
			continue
		}
		before, ok := now.Get(bank, i)
		change := ""
		switch {
		case !ok:
		case before.Equal(value):
			change = "stays"
		default:
			change = paint.paint(bold, "changes")
		}
		fmt.Fprintf(a.out, "   %3d  %s  %s\n", i, value, change)
		if ok && !before.Equal(value) {
			for _, why := range newReasons(events) {
				fmt.Fprintf(a.out, "        %s\n", wrap(why, width(a.out)-8, "        "))
			}
		}
	}
	fmt.Fprintln(a.out)
}

func eventsOf(p *predict.Path, index int) []predict.Event {
	var out []predict.Event
	for _, e := range p.Events {
		if e.PCR == index && e.Type.String() != "EV_NO_ACTION" {
			out = append(out, e)
		}
	}
	return out
}

// newReasons are the reasons of events that the running boot did not have, each
// once, a few of them.
func newReasons(events []predict.Event) []string {
	const most = 4
	var out []string
	for _, e := range events {
		if e.IsNew() && !slices.Contains(out, e.Reason) {
			out = append(out, e.Reason)
		}
	}
	if len(out) > most {
		out = append(out[:most:most], fmt.Sprintf("and %d more", len(out)-most))
	}
	return out
}

func (a *app) printPredictedEvents(p *predict.Path) {
	paint := newPainter(a.out)
	stage, reason := "", ""
	for _, e := range p.Events {
		if e.Type.String() == "EV_NO_ACTION" {
			continue
		}
		if s := e.Stage.Title(); s != stage {
			stage = s
			fmt.Fprintln(a.out, "   "+paint.paint(bold, stage))
		}
		mark := map[bootchain.Confidence]string{bootchain.Computed: "computed", bootchain.Copied: "copied", bootchain.Unknown: "UNKNOWN"}[e.Confidence]
		room := width(a.out) - 21
		fmt.Fprintf(a.out, "   %3d  %-8s  %s\n", e.PCR, mark, fit(e.Description, room))
		if e.Reason != reason { // one for several is enough
			reason = e.Reason
			fmt.Fprintf(a.out, "                  %s\n", paint.paint(dim, wrap(reason, room, "                  ")))
		}
	}
	fmt.Fprintln(a.out)
}

// printUnknown says what must not be sealed to, and why.
func (a *app) printUnknown(p *predict.Path) {
	byReason := make(map[string]pcr.Selection)
	var order []string
	for _, d := range p.Doubts {
		if byReason[d.Reason] == 0 {
			order = append(order, d.Reason)
		}
		byReason[d.Reason] = byReason[d.Reason].With(d.PCR)
	}
	fmt.Fprintln(a.out, "   Unknown, never seal to them:")
	for _, reason := range order {
		fmt.Fprintf(a.out, "   %9s  %s\n", byReason[reason], wrap(reason, width(a.out)-14, strings.Repeat(" ", 14)))
	}
	fmt.Fprintln(a.out)
}
