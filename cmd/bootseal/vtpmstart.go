package main

import (
	"github.com/bootseal/bootseal/vtpm/server/host"
	"github.com/spf13/cobra"
)

func (a *app) vtpmStart() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "start NAME",
		Short: "Start one of the daemon's vTPMs",
		Long: `Start a vTPM, now and whenever the daemon starts. That it runs already is no error. One that
failed is tried again.`,
		Example: "  bootseal vtpm start vm0",
		Args:    cobra.ExactArgs(1),
	}
	d := daemonFlag(cmd)
	d.completeNames(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		var info host.Info
		err := a.during("starting "+args[0], func() (err error) {
			info, err = d.client().Start(cmd.Context(), args[0])
			return err
		})
		if err != nil {
			return err
		}
		return a.printInstance(info)
	}
	return cmd
}
