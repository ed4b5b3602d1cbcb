package bootchain

import (
	"fmt"
	"slices"

	"github.com/bootseal/bootseal/eventlog"
	"github.com/bootseal/bootseal/pcr"
)

const firmwareOnly = "only the firmware knows what it measures there, and there is no log"

// fit finds out, without a log, in which way this firmware measures: with which
// quirks the models lead to the values that the TPM has now. It notes for which
// PCRs they do.
func (k *known) fit() {
	k.proven = make(map[int]bool)
	if k.base != nil || len(k.PCRs) == 0 {
		return
	}
	files := &k.Files
	if k.Booted != nil {
		files = k.Booted
	}
	vars := k.findVariables()
	best := quirks{}
	most := -1
	for _, q := range allQuirks() {
		k.quirks = q
		proven := k.provenWith(files, vars)
		if len(proven) > most {
			most, best = len(proven), q
		}
		for i := range proven {
			k.proven[i] = true
		}
	}
	k.quirks = best
}

// allQuirks are the ways of firmware that are known, the usual first.
func allQuirks() []quirks {
	var out []quirks
	for _, noActions := range []bool{false, true} {
		for _, whole := range []bool{false, true} {
			for _, noGPT := range []bool{false, true} {
				out = append(out, quirks{wholeBootVariables: whole, noActions: noActions, noGPT: noGPT})
			}
		}
	}
	return out
}

const maxTries = 4 // boot entries that failed before, of which nobody knows

// provenWith returns the PCRs that some way to boot leads to as they are now.
func (k *known) provenWith(files *Manifest, vars variables) map[int]bool {
	best := make(map[int]bool)
	current := vars.numbers("BootCurrent")
	for _, y := range k.ways(files, vars) {
		if len(current) == 1 && y.variable != "" && y.variable != bootName(current[0]) {
			continue
		}
		expected := y.tries
		for try := range maxTries {
			y.tries = try + 1
			if try == 0 {
				y.tries = expected
			}
			for _, w := range k.play(y, files, vars) {
				if proven := k.matching(&w.path); len(proven) > len(best) {
					best = proven
					k.tries = y.tries
				}
			}
		}
	}
	return best
}

// matching returns the PCRs in which a path leads to the TPM's values.
func (k *known) matching(p *Path) map[int]bool {
	out := make(map[int]bool)
	for i := range pcr.Count {
		if k.leadsTo(p, i) {
			out[i] = true
		}
	}
	return out
}

// leadsTo reports whether a path's events lead to the TPM's value of a PCR, in
// every bank that has both.
func (k *known) leadsTo(p *Path, index int) bool {
	n := 0
	for _, b := range k.PCRs.Banks() {
		want, ok := k.PCRs.Get(b, index)
		if !ok || !b.Available() || !slices.Contains(k.banks, b) {
			continue
		}
		value := pcr.Reset(b, index, 0)
		for _, e := range eventsOf(p, index) {
			d, ok := e.Digests[b]
			if !ok {
				return false
			}
			var err error
			if value, err = pcr.Extend(b, value, d); err != nil {
				return false
			}
		}
		same := value.Equal(want)
		if index == 11 && !same {
			entered := false
			if same, entered = afterPhases(b, value, want); entered {
				k.entersInitrd = true
			}
		}
		if !same {
			return false
		}
		n++
	}
	return n > 0
}

// judgeWithoutLog doubts the PCRs of a path that nothing bears out.
func (k *known) judgeWithoutLog(p *Path) {
	doubt := func(index int, reason string) { p.Doubts = append(p.Doubts, Doubt{index, reason}) }
	for i := range pcr.Count {
		if i == 10 || i >= 15 || k.proven[i] || k.leadsTo(p, i) {
			continue
		}
		switch ownFirmware := i == 0 || i == 2 || i == 3 || i == 6; {
		case ownFirmware && len(k.PCRs) == 0:
			doubt(i, firmwareOnly)
		case ownFirmware:
			// The TPM's value stays.
		case len(k.PCRs) == 0 && i < 8:
			doubt(i, "there is neither a log nor a value of the running boot to hold the model of the firmware against")
		case len(k.PCRs) == 0:
		case k.Booted != nil:
			doubt(i, fmt.Sprintf("the files of the running boot do not lead to the TPM's PCR %d", i))
		case i < 8 || i <= 9 && slices.Contains(p.Stages, eventlog.GRUB):
			doubt(i, fmt.Sprintf("without a log, a change of PCR %d cannot be told from a wrong model; give the files of the "+
				"running boot, too (--booted)", i))
		}
	}
}
