package main

import (
	"fmt"

	"github.com/bootseal/bootseal/internal/version"
	"github.com/spf13/cobra"
)

func (a *app) version() *cobra.Command {
	var asSwtpm bool
	cmd := &cobra.Command{
		Use:     "version",
		Short:   "Print the version",
		Example: "  bootseal version -o json",
		Args:    cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			b := version.Read()
			if asSwtpm { // its first line is what programs look at
				_, err := fmt.Fprintf(a.out, "TPM emulator version %s\nbootseal %s (%s)\n", swtpmVersion, b.Version, b.Go)
				return err
			}
			if a.wantsJSON() {
				return a.printJSON(b)
			}
			_, err := fmt.Fprintf(a.out, "bootseal %s\n", b)
			return err
		},
	}
	cmd.Flags().BoolVar(&asSwtpm, "swtpm", false, "in the words of swtpm --version")
	return cmd
}
