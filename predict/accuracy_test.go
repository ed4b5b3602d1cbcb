package predict_test

import (
	"flag"
	"os"
	"strings"
	"testing"

	"github.com/bootseal/bootseal/bootchain"
	"github.com/bootseal/bootseal/lab/matrix"
	"github.com/bootseal/bootseal/predict"
)

var update = flag.Bool("update", false, "rewrite docs/accuracy.md")

const (
	accuracyFile = "../docs/accuracy.md"
	ledgerFile   = "../lab/matrix/boots.json"
)

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

// TestAccuracy keeps docs/accuracy.md: each cell is a prediction held against what a TPM had, in
// four banks. Recorded machines are predicted here; boots of the lab are told by its ledger.
func TestAccuracy(t *testing.T) {
	var sb strings.Builder
	sb.WriteString(accuracyHead)
	for _, name := range chains() {
		c := loadChain(t, name)
		matrix.PrintHead(&sb, chainTitle(name), "change")
		for _, ch := range changes() {
			row := accuracyRow(t, c, ch)
			if row.Wrong() {
				t.Errorf("%s, %s: a prediction is wrong: %s", name, ch.what, row.What)
			}
			matrix.PrintRow(&sb, ch.what, row.Cell)
		}
	}
	sb.WriteString(freshHead)
	freshRows(t, &sb)
	sb.WriteString(labHead)
	ledger, err := matrix.ReadLedger(ledgerFile)
	if err != nil {
		t.Fatal(err)
	}
	ledger.Print(&sb)
	if *update {
		if err := os.WriteFile(accuracyFile, []byte(sb.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	have, err := os.ReadFile(accuracyFile)
	if err != nil || string(have) != sb.String() {
		t.Errorf("docs/accuracy.md is not what the recordings and the ledger say: run go test ./predict -run TestAccuracy -update; %v", err)
	}
}

func accuracyRow(t *testing.T, c *chain, ch change) matrix.Row {
	from, to := c.step(t, ch.from), c.step(t, ch.to)
	in := c.machine(from, ch.files(c))
	if ch.adapt != nil {
		ch.adapt(c, &in)
	}
	return matrix.Compare(predictFirst(t, in), to.pcrs, nil)
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

Each cell compares a prediction with what the TPM of a machine had at its next boot, in SHA-1, SHA-256, SHA-384 and SHA-512:
**yes**, predicted and right in all four; **?**, said to be unknown; **NO**, predicted and wrong, which fails the project's
tests. The columns are PCRs. PCR 10 belongs to the running kernel, 15 and above to nobody at boot.

The machines are OVMF under QEMU with Debian 12's programs, and come from two places: recordings that are in the project,
which each run of the tests predicts anew, with swtpm as their TPM; and, further down, [boots of the lab](#boots-of-the-lab).

This file is written by ` + "`go test ./predict -run TestAccuracy -update`" + ` from the recordings and the lab's ledger; the test
fails when it is not what they say.

# Recorded machines

Each was booted twice on kernel 6.1.0-54, and then upgraded to 6.1.0-56.
`

const freshHead = `
# Changes made on purpose

Recorded boots of further machines, each changed before its next boot. All of the change is in the files, the variables and the
partition table that the prediction was given.
`

const labHead = `
# Boots of the lab

Machines of [the lab](lab.md), on bootseal's own vTPM. ` + "`make lab-predict`" + ` boots each, changes it and boots it again,
step by step; ` + "`make lab`" + ` tells stories of a node, which predicts its own next boot before it reboots. Every boot was
predicted by the bootseal of its day, and is not predicted again.

Each such run adds what it found to a ledger, [boots.json](../lab/matrix/boots.json), and to this section. A boot that was not
as predicted is not added: it fails the run, which keeps both logs. The last column says with which sets of packages a row came
out so, by numbers that [the last table](#versions-of-these-boots) explains. A set is all that a run had; a chain boots of it
what its title names.
`
