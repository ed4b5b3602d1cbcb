package main

import (
	"fmt"
	"runtime/debug"

	"github.com/spf13/cobra"
)

// build is what the binary knows of its own origin.
type build struct {
	Version  string `json:"version"`
	Go       string `json:"go"`
	Revision string `json:"revision,omitempty"`
	Modified bool   `json:"modified,omitempty"` // built from a changed tree
}

func (a *app) version() *cobra.Command {
	var asSwtpm bool
	cmd := &cobra.Command{
		Use:     "version",
		Short:   "Print the version",
		Example: "  bootseal version -o json",
		Args:    cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			b := readBuild()
			if asSwtpm { // its first line is what programs look at
				_, err := fmt.Fprintf(a.out, "TPM emulator version %s\nbootseal %s (%s)\n", swtpmVersion, b.Version, b.Go)
				return err
			}
			if a.wantsJSON() {
				return a.printJSON(b)
			}
			_, err := fmt.Fprintf(a.out, "bootseal %s (%s)\n", b.Version, b.Go)
			return err
		},
	}
	cmd.Flags().BoolVar(&asSwtpm, "swtpm", false, "in the words of swtpm --version")
	return cmd
}

func readBuild() build {
	b := build{Version: "unknown"}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return b
	}
	b.Version, b.Go = info.Main.Version, info.GoVersion
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			b.Revision = s.Value
		case "vcs.modified":
			b.Modified = s.Value == "true"
		}
	}
	return b
}
