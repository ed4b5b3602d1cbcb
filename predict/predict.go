// Package predict says which PCR values the next boot of a machine will have,
// event by event, and why.
//
//	p, err := predict.Next(predict.Input{Machine: machine})
//	p.Paths[0].PCRs        values by bank and PCR
//	p.Paths[0].Unknown     PCRs that must not be sealed to
//	p.Paths[0].Events      each with stage, file, reason and confidence
//	p.Paths[0].Misses      holds it against the values of the boot that came
//	p.Paths[0].Differences holds it against that boot's log
//
// The baseline is the log of a boot of this machine, which alone knows its
// firmware; package bootchain has the models of what follows it. Values are those
// at the moment when the initial ramdisk unseals, not at the end of the boot.
package predict

import (
	"fmt"
	"slices"

	"github.com/bootseal/bootseal/bootchain"
	"github.com/bootseal/bootseal/eventlog"
	"github.com/bootseal/bootseal/pcr"
)

// Prediction is what is known about the next boot.
type Prediction struct {
	// Paths are the ways that the boot may take, the likeliest first. There is at
	// least one.
	Paths []Path `json:"paths"`
}

// Path is one way that the next boot may take.
type Path struct {
	Name  string `json:"name"`  // "Boot0002 UEFI Misc Device, shim, GRUB, Debian GNU/Linux"
	Entry string `json:"entry"` // of the boot menu: title or identifier, or ""
	// If says what has to be for GRUB to go this way, beside that somebody picks Entry.
	If []string `json:"if,omitempty"`
	// Halts says why this way leads to no operating system, "" if it does.
	Halts string `json:"halts,omitempty"`
	// PCRs are the predicted values. PCRs in Unknown have none, nor do banks for
	// which an event has no digest.
	PCRs   pcr.Values `json:"pcrs"`
	Events []Event    `json:"events"`
	// Unknown are the PCRs, ascending, whose values cannot be told: never seal to
	// them. They include those that no boot log speaks of.
	Unknown []int `json:"unknown"`
	// Doubts say why: at least one for each PCR in Unknown.
	Doubts []bootchain.Doubt `json:"doubts"`
	// Signatures are of PCR policies, which the unified kernel image of this way brings: see
	// [bootchain.Path].
	Signatures []byte `json:"signatures,omitempty"`

	spec eventlog.Spec
}

// Event is an event that the next boot will log.
type Event struct {
	Stage       eventlog.Stage          `json:"stage"`
	PCR         int                     `json:"pcr"`
	Type        eventlog.Type           `json:"type"`
	Description string                  `json:"description"` // what is measured, in words
	Digests     map[pcr.Bank]pcr.Digest `json:"digests"`     // null if unknown
	Confidence  bootchain.Confidence    `json:"confidence"`
	Reason      string                  `json:"reason"`
	Source      string                  `json:"source,omitempty"` // the file that it comes from
	// Baseline is the index of the event in the baseline whose place it takes, -1
	// if there is none.
	Baseline int `json:"baseline"`
	// Data is the event's data. Addresses in it are not predicted.
	Data []byte `json:"data"`

	isNew bool
}

// IsNew reports whether the boot of the baseline has no event with these digests
// in its place.
func (e *Event) IsNew() bool { return e.isNew }

// Input is what a prediction is made from.
type Input struct{ bootchain.Machine }

// Next predicts the next boot of a machine. Errors are those of
// [bootchain.Machine.Paths].
func Next(in Input) (*Prediction, error) {
	paths, err := in.Paths()
	if err != nil {
		return nil, fmt.Errorf("predict: %w", err)
	}
	out := &Prediction{}
	for _, b := range paths {
		p, err := newPath(b, in.spec())
		if err != nil {
			return nil, fmt.Errorf("predict: %w", err)
		}
		in.markNew(p)
		in.keepFirmware(p)
		out.Paths = append(out.Paths, *p)
	}
	return out, nil
}

// spec returns the header of the predicted log.
func (in *Input) spec() eventlog.Spec {
	banks := in.Banks
	if len(banks) == 0 && in.Log == nil {
		banks = in.PCRs.Banks()
	}
	if in.Log != nil {
		spec := in.Log.Spec
		if len(banks) > 0 {
			spec.Algorithms = slices.DeleteFunc(slices.Clone(spec.Algorithms), func(a eventlog.Algorithm) bool {
				return !slices.Contains(banks, a.Bank)
			})
		}
		return spec
	}
	if len(banks) == 0 {
		banks = pcr.Banks()
	}
	return eventlog.New(banks...).Spec
}

func newPath(b bootchain.Path, spec eventlog.Spec) (*Path, error) {
	p := &Path{Name: b.Name, Entry: b.Entry, If: b.If, Halts: b.Halts, Signatures: b.Signatures, spec: spec}
	for _, e := range b.Events {
		p.Events = append(p.Events, Event{Stage: e.Stage, PCR: e.PCR, Type: e.Type, Digests: e.Digests,
			Confidence: e.Confidence, Reason: e.Reason, Source: e.Source, Baseline: e.Baseline, Data: e.Data})
	}
	log := p.Log()
	for i, x := range eventlog.Explain(log) {
		p.Events[i].Description = x.Text
	}
	p.doubt(b.Doubts)
	if b.Halts != "" {
		p.doubt(haltDoubts(b.Halts))
	}
	values, err := log.Replay()
	if err != nil {
		return nil, err
	}
	p.PCRs = p.reliable(values)
	return p, nil
}

// markNew finds the events that the baseline does not have.
func (in *Input) markNew(p *Path) {
	for k := range p.Events {
		e := &p.Events[k]
		e.isNew = e.Baseline < 0
		if in.Log == nil || e.isNew || e.Confidence == bootchain.Unknown {
			continue
		}
		for b, d := range e.Digests {
			if was, ok := in.Log.Events[e.Baseline].Digests[b]; ok && !was.Equal(d) {
				e.isNew = true
			}
		}
	}
}

// haltDoubts leave no PCR that programs extend: whatever boots then is not this.
func haltDoubts(reason string) []bootchain.Doubt {
	var out []bootchain.Doubt
	for _, i := range []int{4, 5, 7, 8, 9, 11, 12, 13, 14} {
		out = append(out, bootchain.Doubt{PCR: i, Reason: "this way does not boot: " + reason})
	}
	return out
}

// doubt sets Doubts and Unknown, each reason once.
func (p *Path) doubt(doubts []bootchain.Doubt) {
	for _, d := range slices.Concat(doubts, notLogged()) {
		if !slices.Contains(p.Doubts, d) {
			p.Doubts = append(p.Doubts, d)
		}
	}
	slices.SortStableFunc(p.Doubts, func(a, b bootchain.Doubt) int { return a.PCR - b.PCR })
	p.Unknown = p.Unknown[:0]
	for _, d := range p.Doubts {
		p.Unknown = append(p.Unknown, d.PCR)
	}
	p.Unknown = slices.Compact(p.Unknown)
}

// notLogged are the PCRs that a boot log says nothing about (PC Client Platform
// TPM Profile, "PCR Attributes"; for PCR 10, Linux's integrity measurements).
func notLogged() []bootchain.Doubt {
	out := []bootchain.Doubt{
		{PCR: 10, Reason: "the kernel's integrity measurements, which grow while the system runs"},
		{PCR: 16, Reason: "any program can reset it"},
	}
	for i := 17; i <= 22; i++ {
		out = append(out, bootchain.Doubt{PCR: i, Reason: "belongs to a dynamic launch"})
	}
	return append(out, bootchain.Doubt{PCR: 23, Reason: "any program can reset it"})
}

// reliable returns the values of PCRs that are known, in the banks in which all
// of their events have digests.
func (p *Path) reliable(values pcr.Values) pcr.Values {
	out := make(pcr.Values)
	for _, b := range values.Banks() {
		missing := make(map[int]bool)
		for i := range p.Events {
			e := &p.Events[i]
			if _, ok := e.Digests[b]; !ok && e.Type != eventlog.NoAction {
				missing[e.PCR] = true
			}
		}
		for i := range pcr.Count {
			if v, ok := values.Get(b, i); ok && !missing[i] && !slices.Contains(p.Unknown, i) {
				out.Set(b, i, v)
			}
		}
	}
	return out
}

// Known returns the PCRs that have a predicted value in a bank: those that a key
// may be sealed to.
func (p *Path) Known(b pcr.Bank) pcr.Selection { return p.PCRs.Selection(b) }

// Log returns the predicted events as a log. Unknown events have no digests, so
// that it replays to the values of PCRs that are known.
func (p *Path) Log() *eventlog.Log {
	l := &eventlog.Log{Spec: p.spec}
	for _, e := range p.Events {
		l.Events = append(l.Events, eventlog.Event{PCR: e.PCR, Type: e.Type, Digests: e.Digests, Data: e.Data})
	}
	l.Renumber()
	return l
}
