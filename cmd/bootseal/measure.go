package main

import (
	"fmt"

	"github.com/bootseal/bootseal/bootchain"
	"github.com/bootseal/bootseal/pcr"
	"github.com/spf13/cobra"
)

func (a *app) measure() *cobra.Command {
	var bank, uuid string
	cmd := &cobra.Command{
		Use:   "measure [FOLDER | IMAGE ...]",
		Short: "Write a manifest of the files that a machine boots from",
		Long: `Measure boot files and print a manifest: their digests, signatures, versions, the sections of
unified kernel images, the text of scripts. It has all that a prediction needs, without the
files, so that a fleet can be predicted in one place:

  bootseal measure > manifest.json
  bootseal predict --esp manifest.json --log eventlog.bin --efivars efivars.json

Each argument is a folder, or an image of a disk or a file system; the EFI system partition comes
first. Without arguments: what this machine boots from, the volumes at /boot/efi, /efi and /boot.`,
		Example: "  bootseal measure > manifest.json\n  bootseal measure disk.img\n  bootseal measure /mnt/esp /mnt/boot",
		RunE: func(_ *cobra.Command, args []string) error {
			var banks []pcr.Bank
			if bank != "" {
				b, err := pcr.ParseBank(bank)
				if err != nil {
					return fmt.Errorf("--bank: %w", err)
				}
				banks = []pcr.Bank{b}
			}
			var m bootchain.Manifest
			var err error
			if len(args) == 0 {
				m, _, err = hostFiles(banks, a.progress)
			} else {
				m, _, err = a.readFiles(args, banks)
			}
			a.doneReading()
			if err != nil {
				return err
			}
			if uuid != "" && len(m.Volumes) > 0 {
				m.Volumes[0].UUID = uuid
			}
			for _, v := range m.Volumes {
				a.warnBroken(v)
			}
			return a.printJSON(m)
		},
	}
	cmd.Flags().StringVar(&bank, "bank", "", "only digests of this bank: sha1, sha256, sha384 or sha512")
	cmd.Flags().StringVar(&uuid, "uuid", "", "UUID of the first volume, which a folder does not tell: scripts search for it")
	completeWords(cmd, "bank", "sha1", "sha256", "sha384", "sha512")
	return cmd
}

// warnBroken names programs that could not be read, on standard error.
func (a *app) warnBroken(v bootchain.Volume) {
	for path, f := range v.Files {
		if f.Program != nil && f.Program.Problem != "" {
			fmt.Fprintf(a.err, "bootseal: %s: %s\n", path, f.Program.Problem)
		}
	}
}
