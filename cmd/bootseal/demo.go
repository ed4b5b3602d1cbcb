package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"

	"github.com/bootseal/bootseal/internal/demo"
	"github.com/spf13/cobra"
)

func (a *app) demo() *cobra.Command {
	var asJSON, step, real bool
	var dir, picture string
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "See the whole story in seconds, on recordings of a real boot",
		Long: `Tell the whole story on recordings of a real Debian 12 machine and on a vTPM of bootseal's
own: a measured boot, a sealed disk key, a tampered boot loader, a kernel upgrade without and
with a reseal, and a proof for others. It needs no root, no TPM and no network, and changes
nothing on this machine.

Every step does its work and checks what it tells. Exit code 1: something did not come out as
told.

--real boots machines instead: QEMU, real firmware, boot loader and kernels, and a Debian node in
LUKS2, which is upgraded without and with bootseal; their consoles are shown side by side. This
needs a checkout of bootseal's sources, Go, and what lab/node/install installs, and takes a
quarter of an hour, the first time longer.`,
		Example: "  bootseal demo\n  bootseal demo --step\n  bootseal demo --real\n  bootseal demo --json | jq 'select(.kind == \"check\")'",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if real {
				return a.realDemo(cmd.Context(), picture)
			}
			recorded, err := demo.Builtin()
			if dir != "" {
				recorded, err = demo.LoadFrom(os.DirFS(dir))
			}
			if err != nil {
				return fmt.Errorf("load the recorded boots: %w", err)
			}
			tell := a.tellText(step)
			if asJSON || a.wantsJSON() {
				tell = a.tellJSON()
			}
			if err := demo.Run(cmd.Context(), recorded, tell); err != nil {
				return &noError{fmt.Sprintf("the story did not come out as told: %v", err)}
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "tell it as JSON lines")
	cmd.Flags().BoolVar(&step, "step", false, "wait for Enter before each step")
	cmd.Flags().StringVar(&dir, "boots", "", "directory with recordings to use in place of the built-in ones")
	cmd.Flags().BoolVar(&real, "real", false, "boot real machines in QEMU, side by side")
	cmd.Flags().StringVar(&picture, "picture", "", "with --real: write what the consoles show at the end as SVG to this file")
	cmd.MarkFlagsMutuallyExclusive("json", "step", "real")
	cmd.MarkFlagsMutuallyExclusive("boots", "real")
	return cmd
}

// tellJSON tells a line of JSON for each line.
func (a *app) tellJSON() func(demo.Line) error {
	enc := json.NewEncoder(a.out)
	enc.SetEscapeHTML(false)
	return func(l demo.Line) error { return enc.Encode(l) }
}

// tellText tells the story to a person, and with step waits for Enter before each
// step but the first.
func (a *app) tellText(step bool) func(demo.Line) error {
	p := newPainter(a.out)
	in := bufio.NewReader(a.in)
	var last demo.Kind
	return func(l demo.Line) error {
		if l.Kind == demo.Say && last != demo.Step {
			if _, err := fmt.Fprintln(a.out); err != nil {
				return err
			}
		}
		last = l.Kind
		if l.Kind == demo.Step && l.Step > 1 && step {
			if _, err := fmt.Fprint(a.out, p.paint(dim, "\nPress Enter to go on. ")); err != nil {
				return err
			}
			// The end of the input is as good as an Enter.
			if _, err := in.ReadString('\n'); err != nil {
				step = false
			}
		}
		return a.tellLine(p, l)
	}
}

func (a *app) tellLine(p painter, l demo.Line) error {
	columns := width(a.out)
	var err error
	switch l.Kind {
	case demo.Step:
		_, err = fmt.Fprintf(a.out, "\n%s\n\n", p.paint(bold, fmt.Sprintf("%d. %s", l.Step, l.Text)))
	case demo.Say:
		_, err = fmt.Fprintf(a.out, "%s\n\n", wrap(l.Text, columns, ""))
	case demo.Event:
		_, err = fmt.Fprintf(a.out, "    %s\n", fit(l.Text, columns-4))
	case demo.Check:
		mark := p.paint(green, "ok")
		if !*l.OK {
			mark = p.paint(red, "NO")
		}
		_, err = fmt.Fprintf(a.out, "  %s  %s\n", mark, wrap(l.Text, columns-6, "      "))
	default:
		_, err = fmt.Fprintf(a.out, "  %s\n", wrap(l.Text, columns-4, "    "))
	}
	return err
}
