package main

import (
	"fmt"
	"strings"

	"github.com/bootseal/bootseal/eventlog"
	"github.com/bootseal/bootseal/pcr"
	"github.com/spf13/cobra"
)

// logShown is "log show -o json".
type logShown struct {
	Spec   eventlog.Spec          `json:"spec"`
	Banks  []pcr.Bank             `json:"banks"`
	Events []eventlog.Explanation `json:"events"`
}

func (a *app) logShow() *cobra.Command {
	var selection string
	cmd := &cobra.Command{
		Use:   "show FILE",
		Short: "Show what was measured, in words",
		Long: `Show every event of a log in words: who measured it, into which PCR, and what.

A digest that the event's own data should explain, and does not, is marked with "!".
Data are claims; only digests were measured.`,
		Example: "  bootseal log show " + runningLog + "\n  bootseal log show --pcrs 4,7 eventlog.bin\n  bootseal log show -o json eventlog.bin",
		Args:    cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			sel, err := pcr.ParseSelection(selection)
			if err != nil {
				return fmt.Errorf("--pcrs: %w", err)
			}
			l, err := a.readLog(args[0])
			if err != nil {
				return err
			}
			events := []eventlog.Explanation{}
			for _, x := range eventlog.Explain(l) {
				if sel.Has(x.PCR) || selection == allPCRs {
					events = append(events, x)
				}
			}
			if a.wantsJSON() {
				return a.printJSON(logShown{l.Spec, l.Banks(), events})
			}
			return a.printEvents(events)
		},
	}
	cmd.Flags().StringVar(&selection, "pcrs", allPCRs, "only events of these PCRs: numbers and ranges")
	return cmd
}

const allPCRs = "0-23"

// printEvents prints a line an event: number, PCR, stage, mark, words.
func (a *app) printEvents(events []eventlog.Explanation) error {
	const prefix = "%4d  %3s  %-12s %s "
	room := width(a.out) - len(fmt.Sprintf(prefix, 0, "", "", " "))
	if _, err := fmt.Fprintf(a.out, "%4s  %3s  %-12s   %s\n", "#", "PCR", "MEASURED BY", "WHAT"); err != nil {
		return err
	}
	marked := 0
	for _, x := range events {
		mark, index := " ", fmt.Sprint(x.PCR)
		switch x.Check.Status {
		case eventlog.Mismatch:
			mark = "!"
			marked++
		case eventlog.NotMeasured:
			index = "-"
		}
		text := fit(strings.TrimSpace(x.Text), room)
		if _, err := fmt.Fprintf(a.out, prefix+"%s\n", x.Index, index, x.Stage, mark, text); err != nil {
			return err
		}
	}
	if marked > 0 {
		_, err := fmt.Fprintf(a.out, "\n! %d events whose data does not explain their digest\n", marked)
		return err
	}
	return nil
}
