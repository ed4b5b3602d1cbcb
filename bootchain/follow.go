package bootchain

import (
	"fmt"
	"slices"

	"github.com/bootseal/bootseal/eventlog"
	"github.com/bootseal/bootseal/pcr"
)

// Follow goes through the boot, program by program, and returns what the same
// machine will log when it boots next, with the new files in place of the old.
//
// The events are those up to the moment at which the kernel takes over the
// machine, which is when the initial ramdisk unseals. Firmware settings are
// taken to stay as they are. Errors are those of [Manifest.Check].
func (b *Boot) Follow(files Files) (Outcome, error) {
	if err := files.Old.Check(); err != nil {
		return Outcome{}, fmt.Errorf("last boot: %w", err)
	}
	if err := files.New.Check(); err != nil {
		return Outcome{}, fmt.Errorf("next boot: %w", err)
	}
	f := &follower{boot: b, files: files, out: make([][]Event, len(b.Log.Events)), enforced: b.enforced(),
		changes: files.changes()}
	for _, c := range b.Components {
		switch c.Stage {
		case eventlog.Firmware:
			f.firmware(c)
		case eventlog.Shim:
			f.shim(c)
		case eventlog.GRUB:
			f.grub(c)
		case eventlog.Kernel:
			f.kernel(c)
		default:
			f.unmodeled(c)
		}
	}
	return f.outcome(), nil
}

// follower collects the next boot's events, in the places of the log's events
// that they come from.
type follower struct {
	boot     *Boot
	files    Files
	enforced bool     // Secure Boot
	changes  []string // the paths
	out      [][]Event
	doubts   []Doubt
	entry    string // that GRUB boots
}

func (f *follower) outcome() Outcome {
	o := Outcome{Events: slices.Concat(f.out...), Doubts: f.doubts, Entry: f.entry}
	banks := f.boot.Log.Banks()
	for k := range o.Events {
		e := &o.Events[k]
		if e.Confidence == Unknown {
			o.Doubts = append(o.Doubts, Doubt{e.PCR, e.Reason})
			continue
		}
		// A manifest has more banks than some TPMs, and is not to be shared.
		digests := make(map[pcr.Bank]pcr.Digest)
		for _, b := range banks {
			if d, ok := e.Digests[b]; ok {
				digests[b] = slices.Clone(d)
			}
		}
		e.Digests = digests
	}
	return o
}

func (f *follower) doubt(reason string, pcrs ...int) {
	for _, p := range pcrs {
		f.doubts = append(f.doubts, Doubt{p, reason})
	}
}

// from returns event i of the log as the beginning of a predicted event.
func (f *follower) from(i int) Event {
	e := &f.boot.Log.Events[i]
	return Event{Stage: f.boot.explained[i].Stage, PCR: e.PCR, Type: e.Type, Data: e.Data, Baseline: i}
}

func (f *follower) copied(i int, reason string) {
	f.put(i, f.copy(i, reason))
}

func (f *follower) copy(i int, reason string) Event {
	e := f.from(i)
	e.Digests, e.Confidence, e.Reason = f.digests(i), Copied, reason
	return e
}

func (f *follower) unknown(i int, reason string) {
	if !f.boot.Log.Events[i].Measured() {
		f.copied(i, "information, not measured")
		return
	}
	e := f.from(i)
	e.Confidence, e.Reason = Unknown, reason
	f.put(i, e)
}

func (f *follower) put(i int, e Event) { f.out[i] = append(f.out[i], e) }

func (f *follower) digests(i int) map[pcr.Bank]pcr.Digest { return f.boot.Log.Events[i].Digests }

func (f *follower) body(i int) eventlog.Body { return f.boot.explained[i].Body }

// found returns event i with what the manifests say about its file.
func (f *follower) found(i int, r finding) Event {
	e := f.from(i)
	e.Digests, e.Confidence, e.Reason, e.Source = r.digests, r.confidence, r.reason, r.source
	return e
}

// image predicts the measurement of a program that was loaded from a path.
func (f *follower) image(i int, path string) {
	if path == "" {
		f.copied(i, "a program without a file, taken to stay as it is")
		return
	}
	r := f.files.trace(path, program, f.digests(i))
	f.put(i, f.found(i, r))
	f.checkSigners(path, r)
}

// checkSigners doubts PCR 7 if a program is accepted for another reason than
// before: the certificate that was found for it is measured there.
func (f *follower) checkSigners(path string, r finding) {
	if f.enforced && r.resigned {
		f.doubt(path+" is not signed as before, so that another certificate may be measured", 7)
	}
}

// changed reports whether a program was replaced by another. One that was loaded
// from memory has no path and is its loader's affair.
func (f *follower) changed(c Component) (finding, bool) {
	for _, i := range c.Loaded {
		if c.Path != "" {
			if r := f.files.trace(c.Path, program, f.digests(i)); r.changed {
				return r, true
			}
		}
	}
	return finding{}, false
}

// unmodeled is for programs that there is no model of: what they measured holds
// as long as nothing changes.
func (f *follower) unmodeled(c Component) {
	for _, i := range c.Events {
		img, isImage := f.body(i).(eventlog.Image)
		_, isAction := f.body(i).(eventlog.Action)
		switch {
		case isImage && img.Path.File != "":
			f.image(i, img.Path.File)
		case len(f.changes) == 0 || isAction:
			f.copied(i, "no file changes")
		default:
			f.unknown(i, fmt.Sprintf("%s, and what %s measures then cannot be told yet", changesInWords(f.changes), c.Stage.Title()))
		}
	}
}
