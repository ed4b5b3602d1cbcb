package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"strings"

	"github.com/bootseal/bootseal/node/status"
	"github.com/spf13/cobra"
)

func (a *app) reboot() *cobra.Command {
	var flags checkFlags
	var force bool
	var needed, command string
	cmd := &cobra.Command{
		Use:   "reboot [DEVICE...]",
		Short: "Reboot, if the next boot opens the disks",
		Long: `Check the next boot as "bootseal check" does, and reboot if it opens the disks. If it does not,
say why and what to do, and stay up.
` + fallbackHelp + `
Exit codes: 0 the reboot was asked for, or none is wanted (--when-needed); 1 the disks would not
open; 2 that cannot be told, or the reboot failed. --force reboots in any case.
` + machineHelp,
		Example: `  bootseal reboot
  bootseal reboot --when-needed
  bootseal reboot --fallback recovery             somebody will type the recovery key
  bootseal reboot --command "kexec -e"`,
		RunE: func(cmd *cobra.Command, args []string) error {
			words := strings.Fields(command)
			if len(words) == 0 {
				return fmt.Errorf("--command %q: name a program", command)
			}
			if needed != "" && !exists(needed) {
				_, err := fmt.Fprintf(a.out, "No reboot is wanted: there is no %s.\n", needed)
				return err
			}
			if err := a.mayReboot(&flags, args, force); err != nil {
				return err
			}
			if err := a.liftGate(cmd.Context(), "/"+status.Gate); err != nil {
				return err
			}
			return a.runCommand(cmd.Context(), words)
		},
	}
	flags.register(cmd)
	cmd.Flags().BoolVar(&force, "force", false, "reboot although the check says no, or cannot tell")
	wantedFlag(cmd, &needed, "when-needed", "only if a reboot is wanted: this file is there")
	cmd.Flags().StringVar(&command, "command", "systemctl reboot", "what reboots: a program with its arguments, without a shell")
	return cmd
}

// mayReboot prints the check where it does not say yes, and returns its error unless
// forced.
func (a *app) mayReboot(flags *checkFlags, devices []string, force bool) error {
	c, err := a.checkNext(flags, devices)
	if err == nil {
		err = c.err()
	}
	if err == nil {
		return nil
	}
	if c != nil {
		if showErr := a.showCheck(c); showErr != nil {
			return showErr
		}
	}
	if force {
		fmt.Fprintf(a.err, "bootseal: %v; rebooting all the same (--force)\n", err)
		return nil
	}
	if no, ok := err.(*noError); ok {
		return &noError{"not rebooting: " + no.reason + " (--force reboots all the same)"}
	}
	return fmt.Errorf("not rebooting: %w (--force reboots all the same)", err)
}

// liftGate lets systemd reboot where bootseal's hooks keep it from that.
func (a *app) liftGate(ctx context.Context, path string) error {
	err := os.Remove(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("let systemd reboot: %w", err)
	}
	return a.runCommand(ctx, []string{"systemctl", "daemon-reload"})
}

func (a *app) runCommand(ctx context.Context, words []string) error {
	cmd := exec.CommandContext(ctx, words[0], words[1:]...)
	cmd.Stdout, cmd.Stderr = a.out, a.err
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("%s: %w", strings.Join(words, " "), err)
	}
	return nil
}
