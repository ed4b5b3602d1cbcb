package main

import (
	"errors"
	"flag"
	"os"

	"github.com/bootseal/bootseal/cmd/internal/tpmlink"
	"github.com/bootseal/bootseal/internal/secretmem"
	"github.com/bootseal/bootseal/node/unlock"
	"github.com/spf13/cobra"
)

const unlockLong = `Open an encrypted volume as the initial ramdisk does.

The TPM opens it if this boot is one that it was enrolled for. Otherwise the console says which
measurement differs from what was expected, and the recovery key is asked for: in any case, with or
without dashes. A volume that is not the enrolled one is refused, whoever opens it. What is on
the console, and what to do then: docs/unlock.md.

In an initial ramdisk the same is done by bootseal-unlock, a program of a few megabytes.`

func (a *app) unlock() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "unlock",
		Short:   "Open an encrypted volume by the TPM, or by the recovery key",
		Long:    unlockLong,
		Example: "  bootseal unlock test /dev/sda3\n  bootseal unlock open /dev/disk/by-uuid/0a1b2c3d-1111-4222-8333-444455556666 root",
		Args:    cobra.NoArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(
		a.unlockMode(unlock.Testing, "Say which token opens a volume now, and change nothing",
			"Says which token opens the volume in this boot. Where none does, it explains why, as at boot, and\nexits with 1. Nothing is measured, nothing is asked but a PIN.",
			"  bootseal unlock test /dev/sda3\n  bootseal unlock test --log boot.log --tpm swtpm:tpm.sock disk.img"),
		a.unlockMode(unlock.Opening, "Open a volume as /dev/mapper/NAME",
			"Has cryptsetup open the volume. It needs root, and device-mapper.",
			"  bootseal unlock open /dev/sda3 root\n  bootseal unlock open --readonly /dev/sda3 root"),
		a.unlockMode(unlock.Keyscript, "Print a volume's passphrase for crypttab's option keyscript=",
			"For the initial ramdisk of initramfs-tools: CRYPTTAB_SOURCE and CRYPTTAB_NAME say which volume, and\nthe passphrase goes to standard output, which must be no terminal.",
			"  root UUID=0a1b2c3d-1111-4222-8333-444455556666 none luks,keyscript=/usr/lib/bootseal/keyscript  # /etc/crypttab"),
		a.unlockMode(unlock.Closing, "Close the TPM until the next boot",
			"Extends every PCR that a secret can be sealed to, so that the TPM opens no volume in this boot any more.\nInitial ramdisks do it before they give a shell because something failed.",
			"  bootseal unlock close"),
		a.unlockMode(unlock.Rooting, "Say whether the root file system is on the enrolled volume",
			"For the end of the initial ramdisk: the root file system that was mounted has to be on the volume that\nthe machine was enrolled with it on, as this program opened it. Otherwise it says no, and closes the\nTPM until the next boot.",
			"  bootseal unlock root /root"),
	)
	return cmd
}

func (a *app) unlockMode(mode unlock.Mode, short, long, example string) *cobra.Command {
	var c unlock.Config
	cmd := &cobra.Command{
		Use:     mode.Usage(),
		Short:   short,
		Long:    long,
		Example: example,
		Args:    cobra.MaximumNArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			secretmem.Protect()
			c.JSON = a.wantsJSON()
			env := unlock.Env{In: a.in, Out: a.out, Err: a.err, Getenv: os.Getenv, Device: tpmlink.Device}
			if a.tpm != "" {
				env.Named = a.openTPM
			}
			switch c.Run(cmd.Context(), mode, args, env) {
			case unlock.ExitOK:
				return nil
			case unlock.ExitNo:
				return &noError{}
			}
			return errSaid
		},
	}
	flags := flag.NewFlagSet(string(mode), flag.ContinueOnError)
	c.Register(flags)
	if mode == unlock.Opening {
		c.RegisterOpening(flags)
	}
	cmd.Flags().AddGoFlagSet(flags)
	return cmd
}

// errSaid is an error that has been told on the console.
var errSaid = errors.New("not done: see above")
