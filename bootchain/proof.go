package bootchain

import (
	"fmt"
	"slices"
	"strings"

	"github.com/bootseal/bootseal/eventlog"
	"github.com/bootseal/bootseal/internal/efivars"
	"github.com/bootseal/bootseal/pcr"
)

// proof is what the log at hand says about the models: a machine may do what no
// model knows, and then its PCRs are not predicted.
type proof struct {
	k *known
	// refuted has a reason for each PCR whose events the models do not lead to,
	// given the files of the boot in the log.
	refuted map[int]string
}

// proof plays the boot in the log with its own files, where they are known, and
// compares.
func (k *known) proof() *proof {
	p := &proof{k: k, refuted: make(map[int]string)}
	if k.base == nil || k.Booted == nil {
		return p
	}
	was := *k
	was.Vars, was.GPT = nil, nil
	vars := was.findVariables()
	// What only the present variables have is as it was, unless somebody changed it.
	for name, data := range k.vars.set {
		if _, ok := vars.set[name]; !ok && !strings.HasPrefix(name, "Boot") && !strings.Contains(name, pendingSuffix) {
			vars.set[name] = data
		}
	}
	best := -1
	for _, y := range was.ways(k.Booted, k.vars) {
		for _, w := range was.play(y, k.Booted, vars) {
			path := w.done()
			refuted := k.compare(&path)
			if best < 0 || len(refuted) < best {
				best, p.refuted = len(refuted), refuted
			}
		}
	}
	return p
}

// compare returns a reason for each PCR in which a path is not what the log has.
func (k *known) compare(p *Path) map[int]string {
	out := make(map[int]string)
	for index := range pcr.Count {
		got, want := eventsOf(p, index), k.logged(index)
		for i := range max(len(got), len(want)) {
			switch {
			case i >= len(got):
				out[index] = fmt.Sprintf("no model leads to event %d of the last boot", want[i].Index)
			case i >= len(want):
				out[index] = "the last boot does not have the event that the model leads to: " + got[i].Reason
			case got[i].Confidence == Unknown, !matches(got[i].Digests, want[i].Digests):
				out[index] = fmt.Sprintf("event %d of the last boot is not what the model leads to: %s", want[i].Index, got[i].Reason)
			default:
				continue
			}
			break
		}
	}
	return out
}

func eventsOf(p *Path, index int) []*Event {
	var out []*Event
	for i := range p.Events {
		if string(p.Events[i].Data) == initrdPhase {
			continue // no log of the firmware has it
		}
		if e := &p.Events[i]; e.PCR == index && e.Type != eventlog.NoAction {
			out = append(out, e)
		}
	}
	return out
}

func (k *known) logged(index int) []*eventlog.Event {
	var out []*eventlog.Event
	for i := range k.Log.Events {
		if e := &k.Log.Events[i]; e.PCR == index && e.Measured() {
			out = append(out, e)
		}
	}
	return out
}

// judge doubts the PCRs of paths that the models failed at before. Without the
// files of the last boot, each difference between a path and the log must come
// from something that is known to be new.
//
// It can also come from a choice. Where one of the paths leads to just what the log has
// in a PCR, the models were right there, about the same files: what other paths
// have instead comes from what somebody picks in a menu, or from a failure.
func (p *proof) judge(paths []Path) {
	k := p.k
	came := make(map[int]bool)
	if k.base != nil && k.Booted == nil {
		for i := range paths {
			differs := k.compare(&paths[i])
			for index := range pcr.Count {
				if _, ok := differs[index]; !ok && len(k.logged(index)) > 0 {
					came[index] = true
				}
			}
		}
	}
	for i := range paths {
		p.judgePath(&paths[i], came)
	}
}

// judgePath judges one path; came are the PCRs that some path leads to as the log
// has them.
func (p *proof) judgePath(path *Path, came map[int]bool) {
	doubt := func(index int, reason string) {
		path.Doubts = append(path.Doubts, Doubt{index, reason})
	}
	for _, index := range pcr.Select(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 12, 13, 14, 15).Indexes() {
		if reason, ok := p.refuted[index]; ok {
			doubt(index, reason)
		}
	}
	k := p.k
	if k.base == nil && path.Halts == "" {
		k.judgeWithoutLog(path)
	}
	if k.base == nil || k.Booted != nil || path.Halts != "" || !k.sameStages(path) {
		return
	}
	for index := range pcr.Count {
		if came[index] {
			continue
		}
		if reason := k.unexplained(path, index); reason != "" {
			doubt(index, reason)
		}
	}
}

// sameStages reports whether the boot in the log had the same programs. The
// kernel does not count: it may leave no trace.
func (k *known) sameStages(path *Path) bool {
	stages := make(map[eventlog.Stage]int)
	for _, c := range k.base.Components {
		stages[c.Stage] |= 1
	}
	for _, s := range path.Stages {
		stages[s] |= 2
	}
	for s, where := range stages {
		if where != 3 && s != eventlog.Kernel && s != eventlog.Unknown {
			return false
		}
	}
	return true
}

// unexplained says what differs between a path and the log in one PCR although
// nothing that it depends on is new, "" if nothing does. An event of the log that
// does not come again needs a program that measures something new instead.
func (k *known) unexplained(path *Path, index int) string {
	got, want := eventsOf(path, index), k.logged(index)
	used := make([]bool, len(want))
	news := make(map[eventlog.Stage]bool)
	for _, e := range got {
		at := -1
		for i, l := range want {
			if !used[i] && matches(e.Digests, l.Digests) {
				at = i
				break
			}
		}
		switch {
		case at >= 0:
			used[at] = true
		case !path.assumes(e.Source) && !k.isNew(e.Source):
			return "the last boot does not have this event, and nothing that it depends on is new: " + e.Reason
		default:
			news[e.Stage] = true
		}
	}
	for i, l := range want {
		if x := &k.base.explained[l.Index]; !used[i] && !news[x.Stage] {
			return fmt.Sprintf("event %d of the last boot does not follow from the files: %s", l.Index, x.Text)
		}
	}
	return ""
}

// assumes reports whether one of the files that an event depends on is in this way another one
// than is on the disk: Ubuntu's environment block after a boot that failed.
func (p *Path) assumes(source string) bool {
	return p.assumed != "" && slices.Contains(strings.Split(source, ", "), p.assumed)
}

// isNew reports whether one of the files and variables that an event depends on
// is not as it was at the boot in the log, as far as that can be seen.
func (k *known) isNew(source string) bool {
	for _, name := range strings.Split(source, ", ") {
		if name == "" {
			continue
		}
		if !strings.HasPrefix(name, "/") {
			if k.variableIsNew(name) {
				return true
			}
			continue
		}
		if !k.fileWasRead(name) {
			return true
		}
	}
	return false
}

func (k *known) fileWasRead(name string) bool {
	for i := range k.Files.Volumes {
		f, _, ok := k.Files.Volumes[i].find(name, true)
		if !ok {
			continue
		}
		if _, seen := k.seenAnywhere(f.Digests); seen {
			return true
		}
		if f.Program != nil {
			if _, seen := k.seenAnywhere(f.Program.Authenticode); seen {
				return true
			}
		}
	}
	return false
}

func (k *known) seenAnywhere(digests map[pcr.Bank]pcr.Digest) (int, bool) {
	for i := range k.Log.Events {
		if e := &k.Log.Events[i]; e.Measured() && matches(digests, e.Digests) {
			return i, true
		}
	}
	return -1, false
}

// variableIsNew reports whether a variable differs from the one in the log.
func (k *known) variableIsNew(name string) bool {
	for i := range k.base.explained {
		v, ok := k.base.explained[i].Body.(eventlog.Variable)
		if !ok || v.Name != name || v.Authority {
			continue
		}
		now, ok := k.vars.get(name, v.Vendor.String())
		return ok && string(now) != string(v.Data()) || !ok && k.vars.complete && len(v.Data()) > 0
	}
	if name == "partition table" {
		return k.GPT != nil && !k.gptWasMeasured()
	}
	_, pending := k.vars.get(name+pendingSuffix, efivars.Shim)
	_, policy := k.vars.get("SbatPolicy", efivars.Shim)
	return pending || policy && name == "SbatLevel" || !k.knowsVariable(name)
}

// knowsVariable reports whether the log has the variable.
func (k *known) knowsVariable(name string) bool {
	for i := range k.base.explained {
		switch b := k.base.explained[i].Body.(type) {
		case eventlog.Variable:
			if b.Name == name {
				return true
			}
		case eventlog.BootString:
			if b.Text == name {
				return true
			}
		}
	}
	return false
}

func (k *known) gptWasMeasured() bool {
	_, ok := k.seenAnywhere(sum(k.banks, k.GPT.Measured()))
	return ok
}
