package main

import (
	"fmt"
	"text/tabwriter"
	"time"

	"github.com/bootseal/bootseal/vtpm/server/host"
	"github.com/spf13/cobra"
)

func (a *app) vtpmList() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "list",
		Short:   "List the daemon's vTPMs",
		Long:    `List the vTPMs that "bootseal vtpm serve" hosts, by name. COMMANDS counts since the daemon began.`,
		Example: "  bootseal vtpm list\n  bootseal vtpm list -o json | jq -r '.[] | select(.state == \"failed\") | .name + \": \" + .reason'",
		Args:    cobra.NoArgs,
	}
	d := daemonFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		list, err := d.client().List(cmd.Context())
		if err != nil {
			return err
		}
		if a.wantsJSON() {
			return a.printJSON(list)
		}
		return a.printInstances(list)
	}
	return cmd
}

func (a *app) printInstances(list []host.Info) error {
	if len(list) == 0 {
		_, err := fmt.Fprintln(a.out, "no vTPMs; make one with: bootseal vtpm create NAME")
		return err
	}
	// Colors would count as width in the table, so what is wrong stands below it.
	w := tabwriter.NewWriter(a.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "NAME\tSTATE\tPROFILE\tLAYOUT\tCLIENTS\tCOMMANDS\tSINCE")
	for _, i := range list {
		since := ""
		if i.Started != nil {
			since = i.Started.Local().Format(time.DateTime)
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%d\t%d\t%s\n", i.Name, i.State, i.Profile, orDash(i.Layout), i.Clients, i.Commands, since)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	p := newPainter(a.out)
	for _, i := range list {
		if i.Reason != "" {
			fmt.Fprintf(a.out, "%s %s\n", p.paint(red, i.Name+":"), fit(firstLine(i.Reason), 500))
		}
	}
	return nil
}

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}
