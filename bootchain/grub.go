package bootchain

import (
	"errors"
	"fmt"
	"path"
	"strings"

	"github.com/bootseal/bootseal/eventlog"
)

// runGRUB is GRUB. It measures the commands that it runs (PCR 8), every file that
// it opens (PCR 9), and by way of shim or the firmware the kernel that it loads
// (PCR 4). There is a path for each way that its scripts can take.
func (w *walk) runGRUB(r run) []*walk {
	w.enter(eventlog.GRUB, "GRUB")
	s, err := w.lastGRUB(r)
	if err != nil {
		return w.grubLost(err)
	}
	for _, i := range s.before {
		w.copy(i, "built into GRUB, which stays as it is")
	}
	devices := make(map[string]string)
	g := &grubRun{devices: devices, known: s.known, script: func(f grubFile) (string, error) {
		if file, _, ok := w.volume.find(f.path, true); ok && file.Text != "" {
			return file.Text, nil
		}
		return "", fmt.Errorf("the text of %s is not in the manifest", f.path)
	}}
	for {
		var search *needsDevice
		err := g.boot(s.script, s.configfile)
		if errors.As(err, &search) && w.knownVolume(search.uuid) && s.device != "" && len(devices) < maxSearches {
			devices[search.uuid] = s.device
			g.effects, g.menu, g.inEntry, g.scripts, g.commands = nil, nil, false, 0, 0
			continue
		}
		if err != nil {
			return w.grubLost(err)
		}
		break
	}
	w.path.Entry = g.title
	w.names = append(w.names, g.title)
	kernel := run{}
	for _, e := range g.effects {
		switch e.kind {
		case ranCommand:
			w.grubString("grub_cmd: ", e)
		case setCmdline:
			w.grubString("kernel_cmdline: ", e)
		case readScript, readData:
			file, found, ok := w.volume.find(e.file.path, true)
			if !ok {
				return w.grubLost(fmt.Errorf("%s line %d: %s is not there", e.script, e.line, e.file.path))
			}
			w.measureFile(Event{Stage: eventlog.GRUB, PCR: 9, Type: eventlog.IPL, Data: []byte(e.text + "\x00"),
				Reason: fmt.Sprintf("GRUB reads it (%s line %d)", e.script, e.line), Source: found}, file.Digests)
		case gotKernel:
			file, found, _ := w.volume.find(e.file.path, true)
			kernel = run{path: found, file: file, program: file.Program}
			for range s.kernelLoads {
				if w.shim != nil && !w.shimVerify(eventlog.GRUB, kernel) {
					return []*walk{w}
				}
			}
		}
	}
	w.enter(eventlog.Kernel, kernelName(kernel.program))
	w.takeOver(eventlog.Kernel)
	return []*walk{w}
}

func (w *walk) grubLost(err error) []*walk {
	w.doubt("what GRUB will do cannot be told: "+err.Error(), 4, 8, 9)
	w.takeOver(eventlog.Kernel)
	return []*walk{w}
}

func (w *walk) grubString(prefix string, e effect) {
	w.measure(Event{Stage: eventlog.GRUB, PCR: 8, Type: eventlog.IPL, Data: []byte(prefix + e.text + "\x00"),
		Reason: fmt.Sprintf("%s line %d", path.Base(e.script), e.line), Source: e.script}, []byte(e.text))
}

type grubBefore struct {
	before      []int
	script      string
	device      string // of the script
	configfile  bool
	known       map[string]bool
	kernelLoads int
}

// lastGRUB finds what GRUB did in the log before its first script.
func (w *walk) lastGRUB(r run) (grubBefore, error) {
	s := grubBefore{known: make(map[string]bool)}
	if w.base == nil {
		return s, fmt.Errorf("there is no log")
	}
	command := ""
	for i := range w.base.explained {
		x := &w.base.explained[i]
		if x.Stage != eventlog.GRUB {
			continue
		}
		switch b := x.Body.(type) {
		case eventlog.BootString:
			switch b.Source {
			case eventlog.GRUBCommand:
				s.known[b.Text] = true
				if s.script == "" {
					s.before = append(s.before, i)
					command, _, _ = strings.Cut(b.Text, " ")
				}
			case eventlog.BootFile:
				if s.script == "" {
					s.script, s.configfile = b.Text, command != "source" && command != "."
					f, _ := parseGRUBFile(b.Text, "")
					s.device = f.device
				}
			}
		case eventlog.Image:
			s.kernelLoads++
		}
	}
	if s.script == "" {
		return s, fmt.Errorf("no script in the log")
	}
	return s, nil
}

const maxSearches = 16

// knownVolume reports whether the file system that a script searches for is the
// one that GRUB was read from, as far as the manifest tells.
func (w *walk) knownVolume(uuid string) bool {
	return len(w.files.Volumes) == 1 && (w.volume.UUID == "" || strings.EqualFold(w.volume.UUID, uuid))
}
