package bootchain

import (
	"fmt"
	"slices"

	"github.com/bootseal/bootseal/eventlog"
	"github.com/bootseal/bootseal/internal/efivars"
	"github.com/bootseal/bootseal/internal/gpt"
	"github.com/bootseal/bootseal/pcr"
)

// Machine is what is known of a machine before it boots the next time.
type Machine struct {
	// Log is the baseline: the log of a boot of this machine, the running one. It
	// alone knows what the firmware measures of itself. nil without one.
	Log *eventlog.Log
	// Files are the files that the next boot will read.
	Files Manifest
	// Booted are the files of the boot in Log, nil if they are not known. With them
	// the models are held against the log before they are believed.
	Booted *Manifest
	// Vars are the UEFI variables as they are now, nil for those in the log.
	Vars efivars.Set
	// GPT is the partition table of the disk that is booted, nil for the one in the
	// log.
	GPT *gpt.Table
	// PCRs are the values that the machine's TPM has now, nil if they are not known.
	// Without a log, they are what the models are held against.
	PCRs pcr.Values
	// Changes are about to be made to the machine.
	Changes Changes
	// Banks are those to predict; none for those of the log.
	Banks []pcr.Bank
}

// known is a machine with everything that follows from its description.
type known struct {
	Machine
	base  *Boot // nil without a log
	banks []pcr.Bank
	vars  variables
	// bootImage is the index of the event that measured the first program from a
	// disk, len(Log.Events) if there is none.
	bootImage int
	tries     int // boot entries that the firmware tried, the booted one included
	quirks    quirks
	// entersInitrd: the initial ramdisk measures that it was entered.
	entersInitrd bool
	proven       map[int]bool // without a log: PCRs that the models lead to as they are now
}

// quirks are ways in which firmware differs from firmware, as the log shows them.
type quirks struct {
	// wholeBootVariables: PCR 1 has boot variables with their names, as older
	// firmware measures them, rather than their data alone.
	wholeBootVariables bool
	noActions          bool // PCR 4 has no "Calling EFI Application from Boot Option"
	noGPT              bool
}

// know completes the description. Errors are those of [Manifest.Check] and
// [Recognize].
func (m Machine) know() (*known, error) {
	k := &known{Machine: m, banks: m.Banks}
	if err := m.Files.Check(); err != nil {
		return nil, fmt.Errorf("next boot: %w", err)
	}
	if m.Booted != nil {
		if err := m.Booted.Check(); err != nil {
			return nil, fmt.Errorf("last boot: %w", err)
		}
	}
	if m.Log != nil {
		base, err := Recognize(m.Log)
		if err != nil {
			return nil, err
		}
		k.base = base
		if len(k.banks) == 0 {
			k.banks = m.Log.Banks()
		}
		k.findBoot()
		k.findQuirks()
		k.findPhase()
	}
	if len(k.banks) == 0 {
		k.banks = m.PCRs.Banks()
	}
	if len(k.banks) == 0 {
		k.banks = pcr.Banks()
	}
	k.vars = k.findVariables()
	k.fit()
	var err error
	if k.vars, err = m.Changes.apply(k.findVariables()); err != nil {
		return nil, err
	}
	return k, nil
}

const (
	callingAction   = "Calling EFI Application from Boot Option"
	returningAction = "Returning from EFI Application from Boot Option"
)

// findBoot finds where the firmware began to start the boot entry that booted.
func (k *known) findBoot() {
	k.bootImage = len(k.Log.Events)
	last := -1
	for i := range k.base.explained {
		switch x := k.base.explained[i].Body.(type) {
		case eventlog.Action:
			if k.Log.Events[i].PCR == 4 && x.Text == callingAction {
				k.tries++
				last = i
			}
		case eventlog.Image:
			if k.Log.Events[i].PCR == 4 && !x.Driver && x.Path.File != "" && i > last && k.bootImage > i {
				k.bootImage = i
			}
		}
	}
	if last > k.bootImage { // a program ran and returned before
		k.bootImage = len(k.Log.Events)
		for i := last; i < len(k.Log.Events); i++ {
			if x, ok := k.base.explained[i].Body.(eventlog.Image); ok && k.Log.Events[i].PCR == 4 && x.Path.File != "" {
				k.bootImage = i
				break
			}
		}
	}
}

func (k *known) findQuirks() {
	k.quirks.noActions = k.tries == 0
	k.quirks.noGPT = true
	for i := range k.base.explained {
		e := &k.Log.Events[i]
		switch k.base.explained[i].Body.(type) {
		case eventlog.Variable:
			if e.Type == eventlog.EFIVariableBoot || e.Type == eventlog.EFIVariableBoot2 {
				k.quirks.wholeBootVariables = k.base.explained[i].Check.What != "the variable's contents"
			}
		case eventlog.GPT:
			k.quirks.noGPT = false
		}
	}
}

// image returns the event that measured the first program of the boot in the log.
func (k *known) image() (eventlog.Image, bool) {
	if k.base == nil || k.bootImage >= len(k.Log.Events) {
		return eventlog.Image{}, false
	}
	img, ok := k.base.explained[k.bootImage].Body.(eventlog.Image)
	return img, ok
}

// seen reports whether the log has an event with these digests in the PCR.
func (k *known) seen(index int, digests map[pcr.Bank]pcr.Digest) (int, bool) {
	if k.base == nil {
		return -1, false
	}
	for i := range k.Log.Events {
		if e := &k.Log.Events[i]; e.PCR == index && e.Measured() && matches(digests, e.Digests) {
			return i, true
		}
	}
	return -1, false
}

// matches reports whether a file's digests are those that were measured, in all
// banks that both have, and that there is one.
func matches(file, seen map[pcr.Bank]pcr.Digest) bool {
	n := 0
	for b, d := range seen {
		if have, ok := file[b]; ok {
			if !slices.Equal(have, d) {
				return false
			}
			n++
		}
	}
	return n > 0
}
