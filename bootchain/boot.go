package bootchain

import (
	"fmt"

	"github.com/bootseal/bootseal/eventlog"
)

// Component is a program of a boot.
type Component struct {
	Stage eventlog.Stage
	// Path is the file that it was loaded from, as the log has it: "" for the
	// firmware, and for what was loaded from memory.
	Path string
	// Loaded are the indexes of the events that measured the program itself, which
	// are the loader's: none for the firmware.
	Loaded []int
	// Events are the indexes of the events that it measured, in order.
	Events []int
}

// Boot is a boot that was logged: its programs in the order in which they were
// loaded, the firmware first.
type Boot struct {
	Log        *eventlog.Log
	Components []Component
	explained  []eventlog.Explanation
}

// Recognize finds the programs of a boot in its log. Every event belongs to the
// program that measured it. A log without events is an error.
func Recognize(l *eventlog.Log) (*Boot, error) {
	if l == nil || len(l.Events) == 0 {
		return nil, fmt.Errorf("recognize the boot's programs: the log has no events")
	}
	b := &Boot{Log: l, Components: []Component{{Stage: eventlog.Firmware}}, explained: eventlog.Explain(l)}
	for i := range b.explained {
		x := &b.explained[i]
		c := b.current(x.Stage)
		c.Events = append(c.Events, i)
		if img, ok := x.Body.(eventlog.Image); ok && x.Loads != "" {
			b.load(x.Loads, img.Path.File, i)
		}
	}
	return b, nil
}

// current returns the stage's last program. The log of a program whose loading
// was not measured has one nevertheless.
func (b *Boot) current(s eventlog.Stage) *Component {
	for i := len(b.Components) - 1; i >= 0; i-- {
		if b.Components[i].Stage == s {
			return &b.Components[i]
		}
	}
	b.Components = append(b.Components, Component{Stage: s})
	return &b.Components[len(b.Components)-1]
}

// load adds a program. A loader may measure one twice before it runs, as GRUB
// and shim do with a kernel.
func (b *Boot) load(s eventlog.Stage, path string, event int) {
	last := &b.Components[len(b.Components)-1]
	if last.Stage != s || last.Path != path || len(last.Events) > 0 {
		b.Components = append(b.Components, Component{Stage: s, Path: path})
		last = &b.Components[len(b.Components)-1]
	}
	last.Loaded = append(last.Loaded, event)
}
