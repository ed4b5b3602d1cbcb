package main

import (
	"github.com/bootseal/bootseal/vtpm/server/host"
	"github.com/spf13/cobra"
)

func (a *app) vtpmStop() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "stop NAME",
		Short: "Stop one of the daemon's vTPMs",
		Long: `Stop a vTPM in order, and leave it stopped when the daemon starts. A VM that uses it is cut off
from its TPM until it is powered off and on again: shut the VM down first.`,
		Example: "  bootseal vtpm stop vm0",
		Args:    cobra.ExactArgs(1),
	}
	d := daemonFlag(cmd)
	d.completeNames(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		var info host.Info
		err := a.during("stopping "+args[0], func() (err error) {
			info, err = d.client().Stop(cmd.Context(), args[0])
			return err
		})
		if err != nil {
			return err
		}
		return a.printInstance(info)
	}
	return cmd
}
