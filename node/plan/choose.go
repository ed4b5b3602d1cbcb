package plan

import (
	"errors"
	"fmt"
	"slices"

	"github.com/bootseal/bootseal/eventlog"
	"github.com/bootseal/bootseal/pcr"
	"github.com/bootseal/bootseal/predict"
)

// Choice is the PCRs that tokens are sealed to.
type Choice struct {
	Bank pcr.Bank      `json:"bank"`
	PCRs pcr.Selection `json:"pcrs"`
	// Reasons has one for each of the PCRs, ascending.
	Reasons []Reason `json:"reasons"`
	// Left are PCRs that the programs found would ask for, ascending, and why they are
	// not among the chosen.
	Left []Reason `json:"left,omitempty"`
	// Initrd is whether a boot must be refused whose initial ramdisk none of the
	// chosen PCRs covers. See [Boots].
	Initrd bool `json:"initrd"`
	// Shell is whether boots are sealed to that come up with a root shell. See
	// [AsksForShell].
	Shell bool `json:"shell,omitempty"`
}

// Reason says why a PCR was chosen, or was not.
type Reason struct {
	PCR    int    `json:"pcr"`
	Reason string `json:"reason"`
}

// Selection is what a token's policy is about.
func (c Choice) Selection() pcr.BankSelection { return pcr.BankSelection{Bank: c.Bank, PCRs: c.PCRs} }

// Options say what a person wants otherwise.
type Options struct {
	Bank pcr.Bank      // 0 for the best one that is predicted: SHA-256, if it is
	PCRs pcr.Selection // empty for those that follow from the programs found
	// AllowUnmeasuredInitrd lets boots be sealed to whose initial ramdisk nobody
	// measures: who can write to the boot partition can then replace it, and with it the
	// program that gets the key.
	AllowUnmeasuredInitrd bool
	// AllowShell lets boots be sealed to that come up with a root shell, as "recovery
	// mode" does. See [AsksForShell].
	AllowShell bool
}

// ErrUnmeasured is returned where nothing measures the initial ramdisk.
var ErrUnmeasured = errors.New("the initial ramdisk is not measured into any PCR that can be sealed to: " +
	"whoever can write to the boot partition could put another one there, which gets the key. " +
	"Boot a unified kernel image, or by GRUB with its tpm module; or allow it (--allow-unmeasured-initrd)")

// Choose picks the PCRs by the programs on the ways that the next boot may take. It
// fails with [ErrUnmeasured], for PCRs that must not be sealed to, and where no way boots
// or no bank is predicted.
func Choose(p *predict.Prediction, o Options) (Choice, error) {
	paths := booting(p)
	if len(paths) == 0 {
		return Choice{}, fmt.Errorf("choose PCRs: no way leads to an operating system: %s", p.Paths[0].Halts)
	}
	likeliest := paths[0]
	c := Choice{Initrd: !o.AllowUnmeasuredInitrd, Shell: o.AllowShell}
	if o.PCRs != 0 {
		for _, i := range o.PCRs.Indexes() {
			if why, ok := never[i]; ok {
				return Choice{}, fmt.Errorf("choose PCRs: never seal to PCR %d: %s", i, why)
			}
			c.Reasons = append(c.Reasons, Reason{i, "asked for: " + about(i)})
		}
	} else {
		c.Reasons = byPrograms(paths)
	}
	var err error
	if c.Bank, err = chooseBank(likeliest, o.Bank); err != nil {
		return Choice{}, err
	}
	c.keepKnown(likeliest)
	if o.PCRs != 0 && len(c.Left) > 0 {
		return Choice{}, fmt.Errorf("choose PCRs: PCR %d cannot be predicted: %s", c.Left[0].PCR, c.Left[0].Reason)
	}
	if c.PCRs == 0 {
		return Choice{}, fmt.Errorf("choose PCRs: none can be predicted: %s", c.Left[0].Reason)
	}
	if c.Initrd && !covers(c.PCRs, initrdPCRs(likeliest.Log())) {
		return Choice{}, fmt.Errorf("choose PCRs: %s: %w", likeliest.Name, ErrUnmeasured)
	}
	return c, nil
}

// Keep is the choice that tokens stand for which are there already. running is the log
// of the running boot, nil if there is none: where those who chose let its initial
// ramdisk go unmeasured, others' may, too.
func Keep(sel pcr.BankSelection, running *eventlog.Log, o Options) Choice {
	c := Choice{Bank: sel.Bank, PCRs: sel.PCRs, Initrd: !o.AllowUnmeasuredInitrd, Shell: o.AllowShell}
	for _, i := range sel.PCRs.Indexes() {
		c.Reasons = append(c.Reasons, Reason{i, "as before: " + about(i)})
	}
	if running != nil && len(running.Events) > 0 && !covers(sel.PCRs, initrdPCRs(running)) {
		c.Initrd = false
	}
	return c
}

// booting returns the ways that lead to an operating system.
func booting(p *predict.Prediction) []*predict.Path {
	var out []*predict.Path
	for i := range p.Paths {
		if p.Paths[i].Halts == "" {
			out = append(out, &p.Paths[i])
		}
	}
	return out
}

// never are PCRs that change without anything being wrong, or that anybody can set.
var never = map[int]string{
	1:  "the firmware's settings, and the order of boot entries, which installers change",
	5:  "the partition table, and what the boot menu was told; it changes without anything being wrong",
	10: "the kernel's integrity measurements, which grow while the system runs",
	15: "what systemd measures after the disk was opened",
	16: "any program can reset it",
	17: "it belongs to a dynamic launch",
	18: "it belongs to a dynamic launch",
	19: "it belongs to a dynamic launch",
	20: "it belongs to a dynamic launch",
	21: "it belongs to a dynamic launch",
	22: "it belongs to a dynamic launch",
	23: "any program can reset it",
}

// rule is a PCR that matters where a program boots.
type rule struct {
	stage  eventlog.Stage // "" for every boot
	pcr    int
	reason string
}

// rules are the PCRs that between them cover every program and the settings that
// change what it does (UAPI.7, "Linux TPM PCR Registry"; GRUB manual, "Measured Boot").
var rules = []rule{
	{"", 4, "the programs that boot the machine"},
	{"", 7, "Secure Boot: on or off, its keys, and whose signatures were accepted"},
	{eventlog.GRUB, 8, "what GRUB runs, and the kernel's command line"},
	{eventlog.GRUB, 9, "the files that GRUB reads: its configuration, the kernel, the initial ramdisk"},
	{eventlog.SystemdStub, 11, "the unified kernel image, part by part"},
	{eventlog.SystemdStub, 12, "the command line, credentials and add-ons beside the unified kernel image"},
	{eventlog.SystemdBoot, 12, "the command line that systemd-boot passes on"},
	{eventlog.Kernel, 9, "the command line and the initial ramdisk, as the kernel's EFI stub gets them"},
	{eventlog.Shim, 14, "keys that the machine's owner has enrolled in shim"},
}

// byPrograms applies the rules to all ways: a token for one of them is then not
// opened by another for which a PCR more would matter.
func byPrograms(paths []*predict.Path) []Reason {
	var out []Reason
	for _, r := range rules {
		applies := r.stage == "" || slices.ContainsFunc(paths, func(p *predict.Path) bool { return measures(p, r.stage, r.pcr) })
		if applies && !slices.ContainsFunc(out, func(have Reason) bool { return have.PCR == r.pcr }) {
			out = append(out, Reason{r.pcr, r.reason})
		}
	}
	slices.SortFunc(out, func(a, b Reason) int { return a.PCR - b.PCR })
	return out
}

// measures reports whether a program runs on the way and its PCR matters: one that the
// kernel never extends says nothing of the kernel.
func measures(p *predict.Path, s eventlog.Stage, index int) bool {
	return slices.ContainsFunc(p.Events, func(e predict.Event) bool {
		return e.Stage == s && (e.PCR == index || s != eventlog.Kernel)
	})
}

func about(index int) string {
	for _, r := range rules {
		if r.pcr == index {
			return r.reason
		}
	}
	purpose, _ := pcr.About(index)
	return purpose
}

// keepKnown leaves out the PCRs that cannot be predicted for the way.
func (c *Choice) keepKnown(p *predict.Path) {
	known := p.Known(c.Bank)
	var reasons []Reason
	for _, r := range c.Reasons {
		if known.Has(r.PCR) {
			c.PCRs = c.PCRs.With(r.PCR)
			reasons = append(reasons, r)
		} else {
			c.Left = append(c.Left, Reason{r.PCR, doubt(p, c.Bank, r.PCR)})
		}
	}
	c.Reasons = reasons
}

// doubt says why a PCR has no predicted value.
func doubt(p *predict.Path, bank pcr.Bank, index int) string {
	for _, d := range p.Doubts {
		if d.PCR == index {
			return d.Reason
		}
	}
	return fmt.Sprintf("there is no prediction in bank %s", bank)
}

// chooseBank returns the bank that was asked for, or the best that is predicted. SHA-1
// is none of them: two programs with the same digest can be made.
func chooseBank(p *predict.Path, asked pcr.Bank) (pcr.Bank, error) {
	have := p.PCRs.Banks()
	if asked != 0 {
		if !slices.Contains(have, asked) {
			return 0, fmt.Errorf("choose PCRs: bank %s is not predicted: there is %v", asked, have)
		}
		return asked, nil
	}
	for _, b := range []pcr.Bank{pcr.SHA256, pcr.SHA384, pcr.SHA512} {
		if slices.Contains(have, b) {
			return b, nil
		}
	}
	return 0, fmt.Errorf("choose PCRs: no bank with a hash that is safe is predicted: there is %v; turn on SHA-256 in the firmware, or say --bank", have)
}
