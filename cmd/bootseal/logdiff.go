package main

import (
	"fmt"

	"github.com/bootseal/bootseal/eventlog"
	"github.com/spf13/cobra"
)

func (a *app) logDiff() *cobra.Command {
	return &cobra.Command{
		Use:   "diff FILE FILE",
		Short: "Say what changed between two boots",
		Long: `Compare two logs and say what changed, PCR by PCR: from what to what. Events are aligned
by what was measured, so that one that is new does not make all after it differ.

Exit code 0: nothing differs, both logs lead to the same PCR values; 1: they differ.`,
		Example: "  bootseal log diff before.bin after.bin",
		Args:    cobra.ExactArgs(2),
		RunE: func(_ *cobra.Command, args []string) error {
			var logs [2]*eventlog.Log
			for i, path := range args {
				var err error
				if logs[i], err = a.readLog(path); err != nil {
					return err
				}
			}
			differences, err := eventlog.Compare(logs[0], logs[1])
			if err != nil {
				return err
			}
			if a.wantsJSON() {
				if differences == nil {
					differences = []eventlog.Difference{}
				}
				err = a.printJSON(differences)
			} else {
				err = a.printDifferences(differences)
			}
			if err == nil && len(differences) > 0 {
				err = &noError{}
			}
			return err
		},
	}
}

func (a *app) printDifferences(differences []eventlog.Difference) error {
	if len(differences) == 0 {
		_, err := fmt.Fprintln(a.out, "Nothing differs: both boots lead to the same PCR values.")
		return err
	}
	for _, d := range differences {
		if _, err := fmt.Fprintln(a.out, d); err != nil {
			return err
		}
	}
	return nil
}
