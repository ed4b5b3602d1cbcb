// Package picture draws a boot as SVG: its programs one below the other, and
// beside them the PCRs that each moves. In a comparison or a prediction, what
// changed is marked.
//
//	Boot    a log
//	Diff    what changed from one log to another
//	Path    a prediction
package picture

import (
	"fmt"
	"slices"
	"strings"

	"github.com/bootseal/bootseal/eventlog"
	"github.com/bootseal/bootseal/pcr"
	"github.com/bootseal/bootseal/predict"
)

// state is what became of a PCR.
type state int

const (
	plain   state = iota
	changed       // it has another value
	unknown       // it cannot be told
)

// stage is a program of the boot.
type stage struct {
	name    eventlog.Stage
	title   string
	detail  string      // its file
	events  map[int]int // by PCR
	changed map[int]int // events that are new or others, by PCR
	notes   []string    // what changed, in words
}

// drawing is a picture before it is drawn.
type drawing struct {
	title, subtitle string
	marks           bool // it is about what changed
	stages          []stage
	pcrs            []int
	states          map[int]state
	values          map[int]string
}

func newDrawing(title string) *drawing {
	return &drawing{title: title, states: make(map[int]state), values: make(map[int]string)}
}

// Boot draws a log.
func Boot(title string, l *eventlog.Log) []byte {
	d := newDrawing(title)
	d.addLog(l)
	return d.svg()
}

// Diff draws the second log, with the differences from the first.
func Diff(title string, before, after *eventlog.Log, differences []eventlog.Difference) []byte {
	d := newDrawing(title)
	d.marks = true
	d.addLog(after)
	if before != nil {
		d.subtitle = "nothing moved"
	}
	var moved pcr.Selection
	for i := range differences {
		x := &differences[i]
		s := d.stage(x.Stage)
		s.changed[x.PCR]++
		d.use(x.PCR)
		d.states[x.PCR] = changed
		moved = moved.With(x.PCR)
	}
	for _, h := range eventlog.Headlines(differences) {
		s := d.stage(h.Stage)
		s.notes = append(s.notes, h.Text)
	}
	if moved != 0 {
		d.subtitle = fmt.Sprintf("%d events differ, PCRs %s have other values", len(differences), moved)
	}
	return d.svg()
}

// Path draws a prediction: what is new against the running boot is marked.
func Path(p *predict.Path) []byte {
	d := newDrawing("The next boot: " + p.Name)
	d.marks = true
	d.addLog(p.Log())
	news := 0
	for i := range p.Events {
		e := &p.Events[i]
		if !e.IsNew() || e.Type == eventlog.NoAction {
			continue
		}
		news++
		s := d.stage(e.Stage)
		s.changed[e.PCR]++
		d.states[e.PCR] = changed
		if text := e.Reason; !slices.Contains(s.notes, text) {
			s.notes = append(s.notes, text)
		}
	}
	for _, i := range p.Unknown {
		if slices.Contains(d.pcrs, i) {
			d.states[i] = unknown
		}
	}
	d.subtitle = fmt.Sprintf("%d of %d events are new", news, len(p.Events))
	if p.Halts != "" {
		d.subtitle = "does not boot: " + p.Halts
	}
	return d.svg()
}

// stage returns the last program of its kind.
func (d *drawing) stage(name eventlog.Stage) *stage {
	for i := len(d.stages) - 1; i >= 0; i-- {
		if d.stages[i].name == name {
			return &d.stages[i]
		}
	}
	d.stages = append(d.stages, stage{name: name, title: capital(name.Title()), events: make(map[int]int), changed: make(map[int]int)})
	return &d.stages[len(d.stages)-1]
}

func capital(s string) string {
	if s == "" {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:]
}

func (d *drawing) use(index int) {
	if !slices.Contains(d.pcrs, index) {
		d.pcrs = append(d.pcrs, index)
		slices.Sort(d.pcrs)
	}
}

// addLog adds the programs of a log, in the order in which they run.
func (d *drawing) addLog(l *eventlog.Log) {
	files := make(map[eventlog.Stage]string)
	for i, x := range eventlog.Explain(l) {
		if img, ok := x.Body.(eventlog.Image); ok && x.Loads != "" && img.Path.File != "" {
			files[x.Loads] = img.Path.File
		}
		if !l.Events[i].Measured() || x.PCR < 0 || x.PCR >= pcr.Count {
			continue
		}
		d.stage(x.Stage).events[x.PCR]++
		d.use(x.PCR)
	}
	for i := range d.stages {
		d.stages[i].detail = files[d.stages[i].name]
	}
	values, err := l.Replay()
	if err != nil {
		return
	}
	bank := pcr.SHA256
	if banks := values.Banks(); !slices.Contains(banks, bank) && len(banks) > 0 {
		bank = banks[0]
	}
	for _, index := range d.pcrs {
		if v, ok := values.Get(bank, index); ok {
			d.values[index] = v.String()
		}
	}
}
