package main

import (
	"fmt"
	"strconv"
	"text/tabwriter"
	"time"

	"github.com/bootseal/bootseal/vtpm/server/host"
	"github.com/spf13/cobra"
)

func (a *app) vtpmShow() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "show NAME",
		Short: "Show one of the daemon's vTPMs",
		Long: `Show what is known of a vTPM: what it is doing, where its sockets are, who may use them, what
it was manufactured with (with -o json), and how often it was used since the daemon began.`,
		Example: "  bootseal vtpm show vm0\n  bootseal vtpm show vm0 -o json | jq -r .manufactured.certificates[].pem",
		Args:    cobra.ExactArgs(1),
	}
	d := daemonFlag(cmd)
	d.completeNames(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		info, err := d.client().Show(cmd.Context(), args[0])
		if err != nil {
			return err
		}
		return a.printInstance(info)
	}
	return cmd
}

// printInstance prints an instance, with what to do with it.
func (a *app) printInstance(info host.Info) error {
	if a.wantsJSON() {
		return a.printJSON(info)
	}
	p := newPainter(a.out)
	w := tabwriter.NewWriter(a.out, 0, 0, 2, ' ', 0)
	row := func(key, format string, v ...any) { fmt.Fprintf(w, "%s\t%s\n", key, fmt.Sprintf(format, v...)) }
	row("name", "%s", info.Name)
	row("state", "%s", paintState(p, info.State))
	if info.Reason != "" {
		row("reason", "%s", fit(firstLine(info.Reason), 500))
	}
	row("profile", "%s", info.Profile)
	if info.Layout != "" {
		row("layout", "%s", info.Layout)
	}
	row("control", "%s", info.Control)
	row("data", "%s", info.Data)
	row("owner", "%s:%s, mode %s", ownerText(info.UID), ownerText(info.GID), info.Mode)
	row("with the daemon", "%s", map[bool]string{true: "starts", false: "does not start"}[info.Wanted])
	row("created", "%s", info.Created.Local().Format(time.DateTime))
	if info.Started != nil {
		row("started", "%s", info.Started.Local().Format(time.DateTime))
		row("clients", "%d", info.Clients)
		if info.Watchers > 0 {
			row("traced by", "%d", info.Watchers)
		}
	}
	row("commands", "%d, %d refused for a wrong authorization, %d while locked out", info.Commands, info.AuthFailures, info.Lockouts)
	if info.LastCommand != nil {
		row("last command", "%s", info.LastCommand.Local().Format(time.DateTime))
	}
	return w.Flush()
}

func ownerText(id int) string {
	if id < 0 {
		return "the daemon's"
	}
	return strconv.Itoa(id)
}

func paintState(p painter, s host.State) string {
	switch s {
	case host.StateRunning:
		return p.paint(green, string(s))
	case host.StateFailed, host.StateBroken:
		return p.paint(red, string(s))
	}
	return string(s)
}

// firstLine leaves out a stack.
func firstLine(s string) string {
	for i, c := range s {
		if c == '\n' {
			return s[:i]
		}
	}
	return s
}
