package main

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"
	"github.com/spf13/pflag"
)

// administration is what changes a machine or asks about one as root: section 8 of the
// manual. Everything else is in section 1.
var administration = []string{"adopt", "check", "enroll", "policy", "reboot", "reseal", "retire", "status", "unenroll", "unlock"}

// man is for packaging. It is not in the help.
func (a *app) man() *cobra.Command {
	return &cobra.Command{
		Use:   "man DIR",
		Short: "Write the manual pages",
		Long: `Write the manual pages, one a command, into a folder that is made if it is not there.
SOURCE_DATE_EPOCH gives them their date.`,
		Example: "  bootseal man /usr/local/share/man",
		Hidden:  true,
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			root := cmd.Root()
			for _, c := range root.Commands() {
				c.Hidden = c.Hidden || c.Name() == "completion" // packages have these files, too
			}
			toMarkdown(root, map[*pflag.Flag]bool{})
			return writePages(root, args[0])
		},
	}
}

// writePages writes the page of the command and those of the commands below it.
func writePages(cmd *cobra.Command, dir string) error {
	if cmd.Hidden || cmd.Name() == "help" {
		return nil
	}
	var page strings.Builder
	header := doc.GenManHeader{Section: section(cmd.CommandPath()), Source: "bootseal", Manual: "bootseal"}
	cmd.DisableAutoGenTag = true
	if err := doc.GenMan(cmd, &header, &page); err != nil {
		return fmt.Errorf("manual page of %q: %w", cmd.CommandPath(), err)
	}
	name := strings.ReplaceAll(cmd.CommandPath(), " ", "-") + "." + header.Section
	path := filepath.Join(dir, "man"+header.Section, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	ragged := strings.Replace(page.String(), ".SH NAME", ".ad l\n.SH NAME", 1) // long words make gaps in justified lines
	if err := os.WriteFile(path, []byte(correctSections(ragged)), 0o644); err != nil {
		return err
	}
	for _, below := range cmd.Commands() {
		if err := writePages(below, dir); err != nil {
			return err
		}
	}
	return nil
}

// section returns the manual's section for a command, "bootseal log show" for one.
func section(command string) string {
	if words := strings.Fields(command); len(words) > 1 && slices.Contains(administration, words[1]) {
		return "8"
	}
	return "1"
}

// reference is one page's mention of another, which cobra takes to be in the same section.
var reference = regexp.MustCompile(`(bootseal[a-z-]*)\([18]\)`)

func correctSections(page string) string {
	return reference.ReplaceAllStringFunc(page, func(match string) string {
		name, _, _ := strings.Cut(match, "(")
		return name + "(" + section(strings.ReplaceAll(name, "-", " ")) + ")"
	})
}

// toMarkdown turns the plain text of all help into Markdown, which is what cobra takes it
// for when it makes pages.
func toMarkdown(cmd *cobra.Command, done map[*pflag.Flag]bool) {
	if cmd.Long == "" {
		cmd.Long = cmd.Short + "."
	}
	cmd.Long, cmd.Short = markdown(cmd.Long), markdown(cmd.Short)
	for _, flags := range []*pflag.FlagSet{cmd.Flags(), cmd.PersistentFlags()} {
		flags.VisitAll(func(f *pflag.Flag) {
			if !done[f] {
				done[f] = true
				f.Usage = markdownSigns.Replace(f.Usage)
			}
		})
	}
	for _, below := range cmd.Commands() {
		toMarkdown(below, done)
	}
}

// markdownSigns makes signs mean themselves.
var markdownSigns = strings.NewReplacer(`\`, `\\`, "`", "\\`", "*", `\*`, "_", `\_`, "<", `\<`, ">", `\>`, "[", `\[`, "]", `\]`, "#", `\#`, "~", `\~`)

// markdown keeps paragraphs as they are, and makes indented lines a block of code.
func markdown(text string) string {
	var b strings.Builder
	inBlock := false
	for line := range strings.Lines(text) {
		indented := strings.HasPrefix(line, "  ") && strings.TrimSpace(line) != ""
		if indented != inBlock && strings.TrimSpace(line) != "" {
			b.WriteString("\n")
			inBlock = indented
		}
		if indented {
			b.WriteString("    " + line)
		} else {
			b.WriteString(markdownSigns.Replace(line))
		}
	}
	return b.String()
}
