package bootchain

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/bootseal/bootseal/eventlog"
	"github.com/bootseal/bootseal/pcr"
)

const (
	maxDevices = 8  // that file systems are tried on
	maxRuns    = 64 // of the scripts, for all combinations of devices
)

// grubModel is a way to run GRUB's scripts that led to the log's events.
type grubModel struct {
	f          *follower
	name       string // of the first script
	configfile bool   // it has GRUB's main menu
	// What the log shows, from the first script on and before.
	want       []grubItem
	load       []int           // events that came with the kernel once it was read
	kernelName string          // of that kernel
	known      map[string]bool // commands
	lastFiles  map[string]int  // events by file name
	// What the runs show.
	solutions []map[string]string // devices by UUID; several where the log does not tell
	devices   map[string]bool     // that have files of the manifests
	kernel    File                // of the last boot
	booted    File                // the next boot's kernel
}

// fitGRUB looks for the devices with which the scripts of the boot in the log
// lead to its events, from item start on.
func (f *follower) fitGRUB(s session, start int) (*grubModel, error) {
	m := &grubModel{f: f, name: s.items[start].text, known: make(map[string]bool), devices: make(map[string]bool),
		lastFiles: make(map[string]int)}
	var candidates []string
	command := ""
	for k, it := range s.items {
		switch it.kind {
		case isAction:
			continue
		case isCommand:
			m.known[it.text] = true
			candidates = addDevices(candidates, it.text)
			if k < start {
				command, _, _ = strings.Cut(it.text, " ")
			}
		case isFile:
			m.lastFiles[it.text] = it.index
		}
		if k >= start {
			m.want = append(m.want, it)
		}
	}
	m.configfile = command != "source" && command != "."
	m.load, m.kernelName = loadShape(m.want)
	fit := &fitting{m: m, candidates: candidates}
	fit.try(map[string]string{})
	if len(m.solutions) == 0 {
		return nil, fmt.Errorf("the model of GRUB does not lead to the last boot's events: %w", fit.problem)
	}
	return m, nil
}

var deviceInText = regexp.MustCompile(`\(([A-Za-z0-9_][A-Za-z0-9_,./-]*)\)`)

func addDevices(list []string, text string) []string {
	for _, match := range deviceInText.FindAllStringSubmatch(text, -1) {
		if d := match[1]; !slices.Contains(list, d) && len(list) < maxDevices {
			list = append(list, d)
		}
	}
	return list
}

// loadShape returns the events that come with the first kernel once it was read,
// and the kernel's name.
func loadShape(items []grubItem) (shape []int, kernel string) {
	for _, it := range items {
		switch {
		case kernel == "" && it.kind == isFile && it.kernel:
			kernel = it.text
		case kernel != "" && it.kind == isLoad:
			shape = append(shape, it.index)
		case kernel != "":
			return shape, kernel
		}
	}
	return shape, kernel
}

// fitting tries devices for the file systems that the scripts search for.
type fitting struct {
	m          *grubModel
	candidates []string
	runs       int
	problem    error // the first
}

func (t *fitting) try(devices map[string]string) {
	if t.runs++; t.runs > maxRuns {
		return
	}
	run, events, err := t.m.run(t.m.f.lastFile, devices, nil)
	var search *needsDevice
	if errors.As(err, &search) {
		// What was measured up to the search rules out wrong devices early.
		if problem := t.compare(events, true); problem != nil {
			t.note(problem)
			return
		}
		if len(t.candidates) == 0 {
			t.note(err)
		}
		for _, d := range t.candidates {
			more := map[string]string{search.uuid: d}
			maps.Copy(more, devices)
			t.try(more)
		}
		return
	}
	if err == nil {
		err = t.compare(events, false)
	}
	if err != nil {
		t.note(err)
		return
	}
	t.m.accept(run, devices)
}

func (t *fitting) note(err error) {
	if t.problem == nil {
		t.problem = err
	}
}

// accept takes over what a run that fits has shown.
func (m *grubModel) accept(run *grubRun, devices map[string]string) {
	m.solutions = append(m.solutions, devices)
	for _, e := range run.effects {
		file, ok := m.f.lastFile(e.file.path)
		if !ok || e.file.path == "" {
			continue
		}
		m.devices[e.file.device] = true
		if e.kind == gotKernel {
			m.kernel = file
		}
	}
}

// compare holds events that the model computed against those of the log. A
// prefix is enough where begun is set.
func (t *fitting) compare(got []Event, begun bool) error {
	log := t.m.f.boot.Log
	for k := range got {
		if k >= len(t.m.want) {
			return fmt.Errorf("%s comes after the last event", got[k].Reason)
		}
		have := &log.Events[t.m.want[k].index]
		e := &got[k]
		if e.Confidence == Unknown {
			return errors.New(e.Reason)
		}
		sameData := e.Baseline >= 0 || bytes.Equal(e.Data, have.Data)
		if e.PCR != have.PCR || e.Type != have.Type || !sameData || e.Digests != nil && !matches(e.Digests, have.Digests) {
			return fmt.Errorf("event %d is not what %s leads to", have.Index, e.Reason)
		}
	}
	if !begun && len(got) < len(t.m.want) {
		return fmt.Errorf("event %d does not follow from the scripts", log.Events[t.m.want[len(got)].index].Index)
	}
	return nil
}

// run executes the scripts and returns their events, also those before an error.
func (m *grubModel) run(files func(string) (File, bool), devices map[string]string, known map[string]bool) (*grubRun, []Event, error) {
	g := &grubRun{devices: devices, known: known, script: func(file grubFile) (string, error) {
		f, ok := files(file.path)
		if !ok || f.Text == "" {
			return "", fmt.Errorf("the text of %s is not in the manifest", file.path)
		}
		return f.Text, nil
	}}
	err := g.boot(m.name, m.configfile)
	var events []Event
	for _, e := range g.effects {
		events = append(events, m.events(e, files)...)
	}
	return g, events, err
}

// next runs the next boot's scripts, with all devices that fit: the results must
// be the same.
func (m *grubModel) next() ([]Event, string, error) {
	var events []Event
	title := ""
	for k, devices := range m.solutions {
		run, got, err := m.run(m.nextFile, devices, m.known)
		if err == nil {
			err = m.check(run, got)
		}
		if err != nil {
			return nil, "", err
		}
		if k > 0 && !sameEvents(events, got) {
			return nil, "", fmt.Errorf("the last boot does not tell on which device the files are")
		}
		events, title = m.aligned(got), run.title
	}
	return events, title, nil
}

func (m *grubModel) nextFile(path string) (File, bool) {
	f, _, ok := m.f.files.New.find(path, false)
	return f, ok
}

// aligned notes for each event which one of the log it takes the place of, if
// they are as many.
func (m *grubModel) aligned(events []Event) []Event {
	for k := range events {
		if e := &events[k]; len(events) == len(m.want) && m.f.from(m.want[k].index).PCR == e.PCR {
			e.Baseline = m.want[k].index
		}
	}
	return events
}

// check makes sure that every file of a run is one that the manifest knows, and
// fills in those that neither manifest has.
func (m *grubModel) check(run *grubRun, events []Event) error {
	for _, e := range run.effects {
		if e.file.path == "" {
			continue
		}
		file, ok := m.nextFile(e.file.path)
		_, was := m.f.lastFile(e.file.path)
		_, read := m.lastFiles[e.text]
		switch {
		case !ok && was:
			return fmt.Errorf("%s: %s is no longer there", e.where(), e.file.path)
		case !ok && (!read || e.kind == gotKernel && e.text != m.kernelName):
			return fmt.Errorf("%s: %s is not in the manifest", e.where(), e.file.path)
		case ok && !m.devices[e.file.device]:
			return fmt.Errorf("%s: %s is on the device %q, where the last boot read no known file",
				e.where(), e.file.path, e.file.device)
		case e.kind == gotKernel:
			m.booted = file
		}
	}
	for k := range events {
		e := &events[k]
		if i, ok := m.lastFiles[strings.TrimSuffix(string(e.Data), "\x00")]; ok && e.PCR == 9 && e.Digests == nil {
			e.Digests, e.Confidence, e.Baseline = m.f.digests(i), Copied, i
			e.Reason = inNeither(e.Source)
		}
	}
	return nil
}

// resigned reports whether the next kernel is signed by others than the last.
func (m *grubModel) resigned() bool {
	return !sameFile(m.kernel, m.booted) && !sameSigners(m.kernel, m.booted)
}

func sameEvents(a, b []Event) bool {
	return slices.EqualFunc(a, b, func(x, y Event) bool {
		return x.PCR == y.PCR && bytes.Equal(x.Data, y.Data) && (x.Digests == nil) == (y.Digests == nil) &&
			(x.Digests == nil || matches(x.Digests, y.Digests))
	})
}

func (e *effect) where() string {
	if e.line == 0 {
		return e.script
	}
	return fmt.Sprintf("%s line %d", e.script, e.line)
}

// events are what an effect leads to in the log: one event, or for the loading
// of a kernel as many as at the last boot. A file that is not known has no
// digests.
func (m *grubModel) events(e effect, files func(string) (File, bool)) []Event {
	file, _ := files(e.file.path)
	out := Event{Stage: eventlog.GRUB, Type: eventlog.IPL, Confidence: Computed, Reason: e.where(), Baseline: -1}
	switch e.kind {
	case ranCommand, setCmdline:
		prefix := "grub_cmd: "
		if e.kind == setCmdline {
			prefix = "kernel_cmdline: "
		}
		out.PCR, out.Data, out.Source = 8, []byte(prefix+e.text+"\x00"), e.script
		out.Digests = m.sum(e.text)
	case readScript, readData:
		out.PCR, out.Data, out.Source = 9, []byte(e.text+"\x00"), e.file.path
		out.Digests = file.Digests
	case gotKernel:
		return m.loadEvents(e, file)
	}
	return []Event{out}
}

// loadEvents are the events of loading a kernel. One that is in no manifest is
// that of the last boot.
func (m *grubModel) loadEvents(e effect, file File) []Event {
	var out []Event
	for _, i := range m.load {
		event := m.f.copy(i, "the certificate that the kernel is accepted for is taken to stay the same")
		_, isImage := m.f.body(i).(eventlog.Image)
		switch digests := program.of(file); {
		case isImage && file.Digests == nil:
			event.Reason = inNeither(e.file.path)
		case isImage && len(digests) == 0:
			event.Digests, event.Confidence, event.Source = nil, Unknown, e.file.path
			event.Reason = unreadable(e.file.path, file)
		case isImage:
			event.Digests, event.Confidence = digests, Computed
			event.Reason, event.Source = e.where(), e.file.path
		}
		out = append(out, event)
	}
	return out
}

func (m *grubModel) sum(text string) map[pcr.Bank]pcr.Digest {
	out := make(map[pcr.Bank]pcr.Digest)
	for _, b := range m.f.boot.Log.Banks() {
		if b.Available() {
			out[b] = b.Sum([]byte(text))
		}
	}
	return out
}
