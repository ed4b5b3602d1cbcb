package predict_test

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/bootseal/bootseal/bootchain"
	"github.com/bootseal/bootseal/pcr"
	"github.com/bootseal/bootseal/predict"
)

var update = flag.Bool("update", false, "rewrite docs/accuracy.md")

const accuracyFile = "../docs/accuracy.md"

// columns are the PCRs that a boot log speaks of.
func columns() []int { return []int{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 12, 13, 14} }

// change is something that happened to a recorded machine between two boots.
type change struct {
	what     string
	from, to string // boots
	files    func(c *chain) bootchain.Manifest
	adapt    func(c *chain, in *predict.Input)
}

func changes() []change {
	before := func(c *chain) bootchain.Manifest { return c.before }
	after := func(c *chain) bootchain.Manifest { return c.after }
	return []change{
		{what: "booted again", from: second, to: second, files: before},
		{what: "kernel and initial ramdisk upgraded", from: second, to: upgraded, files: after},
		{what: "booted again after the upgrade", from: upgraded, to: upgraded, files: after},
		{what: "back to the kernel before", from: upgraded, to: second, files: before},
		{what: "upgraded; from log and files, without variables and partition table", from: second, to: upgraded, files: after,
			adapt: func(_ *chain, in *predict.Input) { in.Vars, in.GPT = nil, nil }},
		{what: "upgraded; no log, but the TPM's values and the files of the running boot", from: second, to: upgraded, files: after,
			adapt: func(c *chain, in *predict.Input) { in.Log, in.Booted = nil, &c.before }},
		{what: "upgraded; no log, and only the TPM's values", from: second, to: upgraded, files: after,
			adapt: func(_ *chain, in *predict.Input) { in.Log = nil }},
	}
}

// TestAccuracy keeps docs/accuracy.md: each cell is a prediction held against
// what the TPM of the recorded machine had, in four banks.
func TestAccuracy(t *testing.T) {
	var sb strings.Builder
	sb.WriteString(accuracyHead)
	for _, name := range chains() {
		c := loadChain(t, name)
		tableHead(&sb, chainTitle(name))
		for _, ch := range changes() {
			row, wrong := accuracyRow(t, c, ch)
			if wrong {
				t.Errorf("%s, %s: a prediction is wrong: %s", name, ch.what, row)
			}
			sb.WriteString(row)
		}
	}
	sb.WriteString(freshHead)
	freshRows(t, &sb)
	if *update {
		if err := os.WriteFile(accuracyFile, []byte(sb.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	have, err := os.ReadFile(accuracyFile)
	if err != nil || string(have) != sb.String() {
		t.Errorf("docs/accuracy.md is not what the recordings say: run go test ./predict -run TestAccuracy -update; %v", err)
	}
}

func tableHead(sb *strings.Builder, title string) {
	fmt.Fprintf(sb, "\n## %s\n\n| change |", title)
	for _, i := range columns() {
		fmt.Fprintf(sb, " %d |", i)
	}
	sb.WriteString("\n|---|" + strings.Repeat("---|", len(columns())) + "\n")
}

const freshHead = `
# Changes made on purpose

Boots of further machines, each changed before its next boot. All of the change is in the files, the variables and the
partition table that the prediction was given.
`

func accuracyRow(t *testing.T, c *chain, ch change) (row string, wrong bool) {
	from, to := c.step(t, ch.from), c.step(t, ch.to)
	in := c.machine(from, ch.files(c))
	if ch.adapt != nil {
		ch.adapt(c, &in)
	}
	p := predictFirst(t, in)
	row = "| " + ch.what + " |"
	for _, i := range columns() {
		cell := cellOf(p, to.pcrs, i)
		wrong = wrong || cell == "NO"
		row += " " + cell + " |"
	}
	return row + "\n", wrong
}

// cellOf holds one PCR against the values that came, in all banks.
func cellOf(p *predict.Path, actual pcr.Values, index int) string {
	known := 0
	for _, b := range pcr.Banks() {
		got, ok := p.PCRs.Get(b, index)
		if !ok {
			continue
		}
		known++
		if want, _ := actual.Get(b, index); !want.Equal(got) {
			return "NO"
		}
	}
	if known < len(pcr.Banks()) {
		return "?"
	}
	return "yes"
}

func chainTitle(name string) string {
	switch name {
	case "a-shim-grub-sb":
		return "shim 16.1, GRUB 2.06, kernel; Secure Boot on"
	case "b-shim-grub-nosb":
		return "shim 16.1, GRUB 2.06, kernel; Secure Boot off"
	case "c-uki-nosb":
		return "unified kernel image, systemd-stub 252; Secure Boot off"
	case "d-sdboot-type1-sb":
		return "systemd-boot 252, entry of type 1; Secure Boot on"
	case "e-efistub-nosb":
		return "kernel as an EFI program, from a load option; Secure Boot off"
	}
	return name
}

const accuracyHead = `# How accurate are predictions?

Each cell compares a prediction with what the TPM of a real machine had at its next boot (OVMF under QEMU with swtpm, Debian
12's programs), in SHA-1, SHA-256, SHA-384 and SHA-512: **yes**, predicted and right in all four; **?**, said to be
unknown; **NO**, predicted and wrong, which fails the project's tests. The columns are PCRs. PCR 10 belongs to the
running kernel, 15 and above to nobody at boot.

This file is written by ` + "`go test ./predict -run TestAccuracy -update`" + ` from the recordings in the project; the test fails
when it is not what they say.
`
