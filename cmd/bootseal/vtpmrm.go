package main

import (
	"fmt"

	"github.com/bootseal/bootseal/vtpm/server/host"
	"github.com/spf13/cobra"
)

func (a *app) vtpmRm() *cobra.Command {
	var how host.Removal
	cmd := &cobra.Command{
		Use:   "rm NAME",
		Short: "Remove one of the daemon's vTPMs, with all its keys",
		Long: `Remove a vTPM and its state, for good: what was sealed to it stays sealed. One that runs is
refused without --force. To keep a copy: bootseal vtpm export.`,
		Example: "  bootseal vtpm export vm0 --file vm0.tpm --key-file backup.key && bootseal vtpm rm vm0",
		Args:    cobra.ExactArgs(1),
	}
	d := daemonFlag(cmd)
	d.completeNames(cmd)
	cmd.Flags().BoolVarP(&how.Force, "force", "f", false, "even if it runs")
	cmd.Flags().BoolVar(&how.KeepState, "keep-state", false, "leave the state in the daemon's --store, for another host")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		err := a.during("removing "+args[0], func() error { return d.client().Remove(cmd.Context(), args[0], how) })
		if err != nil {
			return err
		}
		if a.wantsJSON() {
			return a.printJSON(map[string]string{"removed": args[0]})
		}
		_, err = fmt.Fprintf(a.out, "removed %s\n", args[0])
		return err
	}
	return cmd
}
