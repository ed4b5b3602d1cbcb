package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/bootseal/bootseal/vtpm"
	"github.com/bootseal/bootseal/vtpm/server"
	"github.com/spf13/cobra"
)

func (a *app) vtpmMSSim() *cobra.Command {
	var listen, platform, dir string
	cmd := &cobra.Command{
		Use:   "mssim",
		Short: "Serve a vTPM over the TCG simulator's protocol",
		Long: `Serve one vTPM over the protocol of the TCG's TPM simulator (also known as Microsoft's
simulator, IBM's TSS socket, mssim): commands on one TCP port, signals of the platform such
as power, reset and physical presence on the next one. Test suites and TPM stacks speak it.

The TPM has no power until a client signals power on, as most do when they connect; then it
waits for TPM2_Startup. Without --dir it lives in memory. It serves until it is interrupted
or a client stops it.

Whoever reaches the ports can use, reset and stop the TPM: keep them on loopback.`,
		Example: `  bootseal vtpm mssim
  bootseal vtpm mssim --listen 127.0.0.1:2321 --dir /var/lib/bootseal/tpm0
  bootseal vtpm mssim --listen 127.0.0.1:0

  export TPM2TOOLS_TCTI=mssim:host=127.0.0.1,port=2321
  tpm2_startup --clear && tpm2_getrandom --hex 8`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, err := server.ListenMSSim(listen, platform)
			if err != nil {
				return err
			}
			return a.serveMSSim(cmd.Context(), s, dir)
		},
	}
	cmd.Flags().StringVar(&listen, "listen", "127.0.0.1:2321", "HOST:PORT for commands; port 0 picks free ports")
	cmd.Flags().StringVar(&platform, "platform", "", "HOST:PORT for the platform's signals (default the port after --listen's)")
	cmd.Flags().StringVar(&dir, "dir", "", "directory of the TPM's state, made if it is not there (default in memory)")
	return cmd
}

// serveMSSim serves the TPM whose state is in dir, or a new one in memory.
func (a *app) serveMSSim(ctx context.Context, s *server.MSSim, dir string) (err error) {
	nv := new(server.NVSwitch)
	if dir != "" {
		state, err := a.openState(dir)
		if err != nil {
			return errors.Join(err, s.Close())
		}
		defer func() { err = errors.Join(err, state.Close()) }()
		nv.Store = state
	}
	tpm, err := vtpm.New(vtpm.Options{Store: nv})
	if err != nil {
		return errors.Join(fmt.Errorf("start the vTPM: %w", err), s.Close())
	}
	fmt.Fprintf(a.err, "commands at %v, platform signals at %v\n", s.CommandAddr(), s.PlatformAddr())
	return s.Serve(ctx, tpm, nv)
}
