package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/bootseal/bootseal/internal/version"
	"github.com/spf13/cobra"
	"golang.org/x/term"
)

// app is what every verb needs from its surroundings.
type app struct {
	in       io.Reader
	out, err io.Writer

	tpm          string     // --tpm
	shared       *sharedTPM // while it is open
	stateKey     string     // --state-key
	stateCounter string     // --state-counter
	format       string     // --output: "text" or "json"

	began   time.Time // of reading many files
	showing bool      // progress on the terminal
}

// noError is a check that was done and says no.
type noError struct{ reason string }

func (e *noError) Error() string { return e.reason }

// command returns the command line: the root with all verbs.
func (a *app) command() *cobra.Command {
	root := &cobra.Command{
		Use:     "bootseal",
		Version: version.Read().String(),
		Short:   "Proof that a node's boot was not tampered with, and disks that open only for it",
		Long: `Bootseal reads what firmware, bootloader and kernel measured, predicts what the next
boot will measure, and keeps a disk's key in the TPM for exactly these boots.

To see the whole of it in a few seconds, without a TPM and without root:

  bootseal demo

Exit codes: 0 done, or a check says yes; 1 a check says no; 2 not done (wrong usage,
bad input, no TPM).`,
		SilenceUsage:  true,
		SilenceErrors: true,
		Args:          cobra.NoArgs,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
		PersistentPreRunE: func(*cobra.Command, []string) error {
			if a.format != "text" && a.format != "json" {
				return fmt.Errorf("--output %s: choose text or json", a.format)
			}
			return nil
		},
	}
	root.SetVersionTemplate("bootseal {{.Version}}\n")
	root.SetIn(a.in)
	root.SetOut(a.out)
	root.SetErr(a.err)
	root.PersistentFlags().StringVarP(&a.format, "output", "o", "text", "output format: text or json")
	root.PersistentFlags().StringVar(&a.tpm, "tpm", "", tpmUsage)
	root.PersistentFlags().StringVar(&a.stateKey, "state-key", "", stateKeyUsage)
	root.PersistentFlags().StringVar(&a.stateCounter, "state-counter", "", "etcd that counts vTPM states at rest, so that older copies are refused: "+storeUsage)
	completeWords(root, "output", "text", "json")
	completeWords(root, "state-key", "file:", "credential:", "tpm:")
	completeWords(root, "tpm", "device:", "swtpm:", "embedded:")
	root.AddCommand(
		a.check(),
		a.adopt(),
		a.demo(),
		a.enroll(),
		a.explain(),
		a.log(),
		a.man(),
		a.measure(),
		a.pcrs(),
		a.policy(),
		a.predict(),
		a.reboot(),
		a.reseal(),
		a.retire(),
		a.status(),
		a.unlock(),
		a.unenroll(),
		a.version(),
		a.vtpm(),
	)
	return root
}

// completeWords offers the words as the flag's completion.
func completeWords(cmd *cobra.Command, flag string, words ...string) {
	err := cmd.RegisterFlagCompletionFunc(flag, cobra.FixedCompletions(words, cobra.ShellCompDirectiveNoSpace))
	if err != nil {
		panic(err) // the flag was defined a line above
	}
}

func (a *app) wantsJSON() bool { return a.format == "json" }

// printJSON writes v, indented, with a final newline.
func (a *app) printJSON(v any) error {
	enc := json.NewEncoder(a.out)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	return enc.Encode(v)
}

// width returns the columns that text may take: the terminal's, at most 100.
func width(w io.Writer) int {
	const most = 100
	if f, ok := w.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		if columns, _, err := term.GetSize(int(f.Fd())); err == nil && columns >= 40 {
			return min(columns, most)
		}
	}
	return most
}

// fit cuts s to n columns, with an ellipsis in place of what is cut.
func fit(s string, n int) string {
	s = strings.Map(printable, s)
	if r := []rune(s); len(r) > n {
		return string(r[:max(n-1, 0)]) + "…"
	}
	return s
}

// printable replaces control characters: a log is not to steer a terminal.
func printable(r rune) rune {
	if r < ' ' || r == 0x7F || r >= 0x80 && r < 0xA0 || r >= 0x202A && r <= 0x202E || r >= 0x2066 && r <= 0x2069 {
		return '�'
	}
	return r
}
