package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/bootseal/bootseal/vtpm/server/host/api"
	"github.com/spf13/cobra"
)

// What the verbs have in common that talk to `bootseal vtpm serve`.

// daemonVariable names the daemon's socket in the environment.
const daemonVariable = "BOOTSEAL_VTPM_SOCKET"

// daemonSocket returns where a daemon of this user serves: root's is the machine's.
func daemonSocket() string {
	if path := os.Getenv(daemonVariable); path != "" {
		return path
	}
	return filepath.Join(daemonPlace("/run", "XDG_RUNTIME_DIR"), "bootseal", "vtpm.sock")
}

// daemonDir returns where a daemon of this user keeps its instances.
func daemonDir() string {
	return filepath.Join(daemonPlace("/var/lib", "XDG_STATE_HOME"), "bootseal", "vtpm")
}

// daemonPlace returns root's directory, or another user's: what the variable says, or where
// the XDG Base Directory Specification has states.
func daemonPlace(root, variable string) string {
	if os.Geteuid() == 0 {
		return root
	}
	if dir := os.Getenv(variable); filepath.IsAbs(dir) {
		return dir
	}
	home, err := os.UserHomeDir()
	if err != nil {
		home = "."
	}
	return filepath.Join(home, ".local", "state")
}

// daemon is the daemon that a verb asks.
type daemon struct{ socket string }

// daemonFlag gives the verb a flag for it.
func daemonFlag(cmd *cobra.Command) *daemon {
	d := new(daemon)
	cmd.Flags().StringVar(&d.socket, "socket", daemonSocket(), "the daemon's `SOCKET`; $"+daemonVariable)
	return d
}

func (d *daemon) client() *api.Client { return api.NewClient(d.socket) }

// completionTimeout is how long somebody who presses Tab waits for a daemon.
const completionTimeout = 2 * time.Second

// completeNames completes the first argument with the names of the daemon's instances.
func (d *daemon) completeNames(cmd *cobra.Command) {
	cmd.ValidArgsFunction = func(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
		if len(args) > 0 {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		ctx, cancel := context.WithTimeout(context.Background(), completionTimeout)
		defer cancel()
		list, err := d.client().List(ctx)
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		var names []string
		for _, info := range list {
			names = append(names, fmt.Sprintf("%s\t%s", info.Name, info.State))
		}
		return names, cobra.ShellCompDirectiveNoFileComp
	}
}
