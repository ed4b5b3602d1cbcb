package main

import (
	"fmt"
	"text/tabwriter"

	"github.com/bootseal/bootseal/vtpm"
	"github.com/spf13/cobra"
)

func (a *app) vtpm() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "vtpm",
		Short: "Bootseal's own TPM 2.0",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(
		a.vtpmCA(),
		a.vtpmChardev(),
		a.vtpmCommands(),
		a.vtpmCreate(),
		a.vtpmCuse(),
		a.vtpmExport(),
		a.vtpmImport(),
		a.vtpmIoctl(),
		a.vtpmKey(),
		a.vtpmList(),
		a.vtpmMSSim(),
		a.vtpmRm(),
		a.vtpmServe(),
		a.vtpmSetup(),
		a.vtpmShow(),
		a.vtpmSocket(),
		a.vtpmStart(),
		a.vtpmState(),
		a.vtpmStop(),
		a.vtpmTrace(),
	)
	return cmd
}

func (a *app) vtpmCommands() *cobra.Command {
	var missing bool
	cmd := &cobra.Command{
		Use:   "commands",
		Short: "List the TPM 2.0 commands, and which of them the vTPM implements",
		Long: `List every command of the TPM 2.0 Library Specification, Part 3, in its order: code,
name, section, and whether the vTPM implements it. What is not implemented has a reason.`,
		Example: "  bootseal vtpm commands\n  bootseal vtpm commands --missing\n  bootseal vtpm commands -o json",
		Args:    cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			list := vtpm.Commands()
			if missing {
				list = onlyMissing(list)
			}
			if a.wantsJSON() {
				return a.printJSON(list)
			}
			return a.printCommands(list)
		},
	}
	cmd.Flags().BoolVar(&missing, "missing", false, "only those that are not implemented")
	return cmd
}

func onlyMissing(list []vtpm.CommandInfo) []vtpm.CommandInfo {
	out := []vtpm.CommandInfo{}
	for _, c := range list {
		if !c.Implemented {
			out = append(out, c)
		}
	}
	return out
}

func (a *app) printCommands(list []vtpm.CommandInfo) error {
	w := tabwriter.NewWriter(a.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "CODE\tCOMMAND\tPART 3\tIMPLEMENTED")
	done := 0
	for _, c := range list {
		state := "yes"
		if c.Implemented {
			done++
		} else {
			state = "no: " + c.Reason
		}
		fmt.Fprintf(w, "%#x\t%s\t%s\t%s\n", c.Code, c.Name, c.Section, state)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	_, err := fmt.Fprintf(a.out, "\n%d of %d implemented\n", done, len(list))
	return err
}
