package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/bootseal/bootseal/eventlog"
	"github.com/bootseal/bootseal/pcr"
	"github.com/spf13/cobra"
)

// explained is "explain -o json".
type explained struct {
	PCR    int                    `json:"pcr"`
	About  string                 `json:"about"`
	Moves  []string               `json:"moves"` // what changes it, in general
	Events []eventlog.Explanation `json:"events"`
}

func (a *app) explain() *cobra.Command {
	var path string
	cmd := &cobra.Command{
		Use:   "explain PCR",
		Short: "Say what moves a PCR, on this machine",
		Long: `Say what a PCR is for, what changes its value, and what was measured into it at the running
boot of this machine: which program did it, and from what file or variable.`,
		Example: "  bootseal explain 7\n  bootseal explain 9 --log eventlog.bin\n  bootseal explain 4 -o json",
		Args:    cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			sel, err := pcr.ParseSelection(args[0])
			if err != nil || sel.Len() != 1 {
				return fmt.Errorf("PCR %s: want one number from 0 to %d", args[0], pcr.Count-1)
			}
			index := sel.Indexes()[0]
			about, moves := pcr.About(index)
			result := explained{PCR: index, About: about, Moves: moves, Events: []eventlog.Explanation{}}
			l, err := a.readLog(path)
			if err != nil {
				return err
			}
			for i, x := range eventlog.Explain(l) {
				if x.PCR == index && l.Events[i].Measured() {
					result.Events = append(result.Events, x)
				}
			}
			if a.wantsJSON() {
				return a.printJSON(result)
			}
			a.printExplained(result)
			return nil
		},
	}
	cmd.Flags().StringVar(&path, "log", runningLog, "event log, - for standard input")
	return cmd
}

func (a *app) printExplained(r explained) {
	paint := newPainter(a.out)
	fmt.Fprintln(a.out, paint.paint(bold, fmt.Sprintf("PCR %d: %s", r.PCR, r.About)))
	fmt.Fprintln(a.out, "\nIt changes when")
	for _, m := range r.Moves {
		fmt.Fprintln(a.out, "  - "+wrap(m, width(a.out)-4, "    "))
	}
	if len(r.Events) == 0 {
		fmt.Fprintln(a.out, "\nAt this boot, nothing was measured into it as far as the log goes.")
		return
	}
	var stages []eventlog.Stage
	for _, x := range r.Events {
		if !slices.Contains(stages, x.Stage) {
			stages = append(stages, x.Stage)
		}
	}
	names := make([]string, len(stages))
	for i, s := range stages {
		names[i] = s.Title()
	}
	fmt.Fprintf(a.out, "\nAt this boot, %d events moved it, by %s:\n", len(r.Events), strings.Join(names, ", "))
	stage := eventlog.Stage("")
	for _, x := range r.Events {
		if x.Stage != stage {
			stage = x.Stage
			fmt.Fprintln(a.out, "  "+paint.paint(bold, stage.Title()))
		}
		fmt.Fprintf(a.out, "   %4d  %s\n", x.Index, fit(strings.TrimSpace(x.Text), width(a.out)-9))
	}
}

func selectionOf(pcrs []int) string { return pcr.Select(pcrs...).String() }
