package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/bootseal/bootseal/vtpm"
	"github.com/bootseal/bootseal/vtpm/server"
	"github.com/spf13/cobra"
)

func (a *app) vtpmMSSim() *cobra.Command {
	var listen, platform, dir, url string
	cmd := &cobra.Command{
		Use:   "mssim",
		Short: "Serve a vTPM over the TCG simulator's protocol",
		Long: `Serve one vTPM over the protocol of the TCG's TPM simulator (also known as Microsoft's
simulator, IBM's TSS socket, mssim): commands on one TCP port, signals of the platform such
as power, reset and physical presence on the next one. Test suites and TPM stacks speak it.

The TPM has no power until a client signals power on, as most do when they connect; then it
waits for TPM2_Startup. Its state is in a directory or in etcd, otherwise in memory. It serves
until it is interrupted, a client stops it, or its state in etcd is lost to another machine.

Whoever reaches the ports can use, reset and stop the TPM: keep them on loopback.`,
		Example: `  bootseal vtpm mssim
  bootseal vtpm mssim --listen 127.0.0.1:2321 --dir /var/lib/bootseal/tpm0
  bootseal vtpm mssim --listen 127.0.0.1:0
  bootseal vtpm mssim --state-key file:states.key --store etcd://10.0.0.1:2379,10.0.0.2:2379/vtpm/tpm0?cacert=ca.crt

  export TPM2TOOLS_TCTI=mssim:host=127.0.0.1,port=2321
  tpm2_startup --clear && tpm2_getrandom --hex 8`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if dir != "" && url != "" {
				return errors.New("--dir and --store exclude each other")
			}
			if url != "" && !strings.HasPrefix(url, etcdScheme) {
				return fmt.Errorf("--store %s: choose %s", url, storeUsage)
			}
			s, err := server.ListenMSSim(listen, platform)
			if err != nil {
				return err
			}
			return a.serveMSSim(cmd.Context(), s, dir+url)
		},
	}
	cmd.Flags().StringVar(&listen, "listen", "127.0.0.1:2321", "HOST:PORT for commands; port 0 picks free ports")
	cmd.Flags().StringVar(&platform, "platform", "", "HOST:PORT for the platform's signals (default the port after --listen's)")
	cmd.Flags().StringVar(&dir, "dir", "", "directory of the TPM's state, made if it is not there (default in memory)")
	cmd.Flags().StringVar(&url, "store", "", "`URL` of the TPM's state in etcd: "+storeUsage+", whose path ends with the state's name")
	return cmd
}

// serveMSSim serves the TPM whose state is at a place, or a new one in memory.
func (a *app) serveMSSim(ctx context.Context, s *server.MSSim, place string) (err error) {
	nv := new(server.NVSwitch)
	if place != "" {
		state, closer, lost, openErr := a.openStateAt(place)
		if openErr != nil {
			return errors.Join(openErr, s.Close())
		}
		nv.Store = state
		var why func() error
		ctx, why = untilLost(ctx, lost)
		defer func() { err = errors.Join(err, why(), closer.Close()) }()
	}
	tpm, err := vtpm.New(vtpm.Options{Store: nv})
	if err != nil {
		return errors.Join(fmt.Errorf("start the vTPM: %w", err), s.Close())
	}
	fmt.Fprintf(a.err, "commands at %v, platform signals at %v\n", s.CommandAddr(), s.PlatformAddr())
	return s.Serve(ctx, tpm, nv)
}
