package bootchain

import (
	"maps"
	"slices"
	"strings"

	"github.com/bootseal/bootseal/eventlog"
	"github.com/bootseal/bootseal/internal/efivars"
	"github.com/bootseal/bootseal/pcr"
)

// walk is a boot that is being played: what was measured so far, and what later
// programs depend on.
type walk struct {
	*known
	files *Manifest // the next boot's, or the last one's when the models are checked
	vars  variables
	path  Path
	// enforced: the firmware checks signatures.
	enforced bool
	// allowed are the entries that were measured because a program was accepted for
	// them: firmware and shim each measure one once.
	allowed, shimAllowed map[string]bool
	gptDone              bool
	shim                 *shimState // nil before shim runs
	volume               *Volume    // that the running program was read from
	names                []string   // of the path
}

func (k *known) walk(files *Manifest, vars variables) *walk {
	on, _ := vars.secureBoot()
	return &walk{known: k, files: files, vars: vars, enforced: on, volume: &files.Volumes[0],
		allowed: make(map[string]bool), shimAllowed: make(map[string]bool)}
}

// fork returns a copy that goes on in another way.
func (w *walk) fork() *walk {
	c := *w
	c.path.Events = slices.Clone(w.path.Events)
	c.path.Doubts = slices.Clone(w.path.Doubts)
	c.path.Stages = slices.Clone(w.path.Stages)
	c.names = slices.Clone(w.names)
	c.allowed, c.shimAllowed = maps.Clone(w.allowed), maps.Clone(w.shimAllowed)
	if w.shim != nil {
		s := *w.shim
		c.shim = &s
	}
	return &c
}

// run is a program that runs, or is about to.
type run struct {
	path    string // of its file, on the walk's volume
	program *Program
	file    File
	options []byte // that it is started with, nil for none
	// configured is the file or the variable that the options are from.
	configured string
}

// enter notes the program that runs from now on.
func (w *walk) enter(s eventlog.Stage, name string) {
	w.path.Stages = append(w.path.Stages, s)
	if name != "" {
		w.names = append(w.names, name)
	}
}

// measure adds an event whose digest is that of hashed.
func (w *walk) measure(e Event, hashed []byte) {
	e.Digests, e.Confidence, e.Baseline = sum(w.banks, hashed), Computed, -1
	w.path.Events = append(w.path.Events, e)
}

// measureFile adds an event whose digests are known from a file.
func (w *walk) measureFile(e Event, digests map[pcr.Bank]pcr.Digest) {
	e.Baseline = -1
	if len(digests) == 0 {
		w.unknown(e)
		return
	}
	e.Digests, e.Confidence = make(map[pcr.Bank]pcr.Digest), Computed
	for _, b := range w.banks {
		if d, ok := digests[b]; ok {
			e.Digests[b] = slices.Clone(d)
		}
	}
	w.path.Events = append(w.path.Events, e)
}

// unknown adds an event that will be there, with digests that cannot be told.
func (w *walk) unknown(e Event) {
	e.Digests, e.Confidence, e.Baseline = nil, Unknown, -1
	w.path.Events = append(w.path.Events, e)
	w.doubt(e.Reason, e.PCR)
}

// copy adds event i of the log.
func (w *walk) copy(i int, reason string) {
	e := &w.Log.Events[i]
	digests := make(map[pcr.Bank]pcr.Digest)
	for _, b := range w.banks {
		if d, ok := e.Digests[b]; ok {
			digests[b] = slices.Clone(d)
		}
	}
	w.path.Events = append(w.path.Events, Event{Stage: w.base.explained[i].Stage, PCR: e.PCR, Type: e.Type, Data: e.Data,
		Digests: digests, Confidence: Copied, Reason: reason, Baseline: i})
}

func (w *walk) doubt(reason string, pcrs ...int) {
	for _, p := range pcrs {
		w.path.Doubts = append(w.path.Doubts, Doubt{p, reason})
	}
}

// halt ends the way: it leads to no operating system.
func (w *walk) halt(reason string) { w.path.Halts = reason }

// lost says that it cannot be told what happens from here on.
func (w *walk) lost(reason string) { w.doubt(reason, 4, 5, 7, 8, 9, 11, 12, 13, 14) }

// done returns the finished path.
func (w *walk) done() Path {
	w.path.Name = strings.Join(w.names, ", ")
	w.matchBaseline()
	return w.path
}

// matchBaseline notes for each event which one of the log it takes the place of:
// one with the same digests, else the next of the same PCR and type.
func (w *walk) matchBaseline() {
	if w.base == nil {
		return
	}
	used := make([]bool, len(w.Log.Events))
	for k := range w.path.Events {
		if i := w.path.Events[k].Baseline; i >= 0 {
			used[i] = true
		}
	}
	find := func(e *Event, same func(l *eventlog.Event) bool) {
		for i := range w.Log.Events {
			if l := &w.Log.Events[i]; !used[i] && l.PCR == e.PCR && l.Type == e.Type && same(l) {
				e.Baseline, used[i] = i, true
				return
			}
		}
	}
	for k := range w.path.Events {
		if e := &w.path.Events[k]; e.Baseline < 0 {
			find(e, func(l *eventlog.Event) bool { return matches(e.Digests, l.Digests) })
		}
	}
	for k := range w.path.Events {
		if e := &w.path.Events[k]; e.Baseline < 0 {
			find(e, func(*eventlog.Event) bool { return true })
		}
	}
}

// lists returns the entries of db and dbx.
func (w *walk) list(name string) []efivars.Entry {
	data, _ := w.vars.get(name, efivars.ImageSecurity)
	entries, _ := efivars.Entries(data)
	return entries
}
