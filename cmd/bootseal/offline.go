package main

import (
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/bootseal/bootseal/luks"
	"github.com/bootseal/bootseal/node/enrollment"
	"github.com/bootseal/bootseal/node/offline"
	"github.com/bootseal/bootseal/node/plan"
	"github.com/bootseal/bootseal/pcr"
	"github.com/bootseal/bootseal/predict"
)

// runningBootID is where Linux shows which boot this is (proc(5)).
const runningBootID = "/proc/sys/kernel/random/boot_id"

// bootFiles are what is known of the boot files. Without now nothing is, and nothing is
// refused.
type bootFiles struct{ before, now *offline.Record }

// lookAtBootFiles finds out which boot files were changed while the machine was off.
func lookAtBootFiles(flags *resealFlags, m *machine, p *predict.Prediction, devices []string) (bootFiles, error) {
	id := flags.bootID
	if id == "" && len(flags.machine.esp) == 0 {
		text, err := os.ReadFile(runningBootID)
		if err != nil {
			return bootFiles{}, err
		}
		id = strings.TrimSpace(string(text))
	}
	if id == "" {
		return bootFiles{}, nil
	}
	before, err := offline.Read(flags.volume.state)
	if err != nil && !flags.offline {
		return bootFiles{}, fmt.Errorf("what could be booted from when this machine was last seen: %w (--accept-offline-changes begins anew)", err)
	}
	now := offline.Now{Boot: id, Bank: mainBank(p.Paths[0].PCRs.Banks()), ByTPM: openedByTPM(m, devices)}
	now.Coming = offline.Files(m.Files, now.Bank)
	if m.present != nil {
		now.Coming = append(now.Coming, offline.Files(*m.present, now.Bank)...)
	}
	for i := range p.Paths {
		now.Coming = append(now.Coming, offline.Contents(p.Paths[i].Log(), now.Bank)...)
	}
	if m.Log != nil {
		now.Running = offline.Contents(m.Log, now.Bank)
	}
	known := before
	if flags.offline {
		known = nil
	}
	return bootFiles{before, offline.Look(known, now)}, nil
}

// openedByTPM reports whether a token of one of the volumes is for the running boot.
func openedByTPM(m *machine, devices []string) bool {
	return slices.ContainsFunc(devices, func(device string) bool {
		f, err := os.Open(device)
		if err != nil {
			return false // whoever works on the volume says so
		}
		defer f.Close()
		h, err := luks.Read(f)
		if err != nil {
			return false
		}
		e := enrollment.Inspect(h)
		return slices.ContainsFunc(plan.Running(m.PCRs, m.Log), func(v pcr.Values) bool { return len(e.Fits(v)) > 0 })
	})
}

// write brings what is known now to disk, if it is something else than before.
func (b bootFiles) write(state string) error {
	if b.now == nil || b.now.Equal(b.before) {
		return nil
	}
	return b.now.Write(state)
}
