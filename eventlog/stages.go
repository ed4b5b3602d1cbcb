package eventlog

import (
	"path"
	"strings"
)

// Stage is a program of the boot.
type Stage string

// The stages.
const (
	Firmware    Stage = "firmware"
	Shim        Stage = "shim"
	GRUB        Stage = "grub"
	SystemdBoot Stage = "systemd-boot"
	SystemdStub Stage = "systemd-stub" // the first part of a unified kernel image
	Kernel      Stage = "kernel"
	Unknown     Stage = "unknown"
)

// Title returns the stage's name for people: "GRUB", "the Linux kernel".
func (s Stage) Title() string {
	switch s {
	case GRUB:
		return "GRUB"
	case SystemdStub:
		return "unified kernel image"
	case Kernel:
		return "Linux kernel"
	}
	return string(s)
}

// Attribution says which program of the boot an event belongs to.
type Attribution struct {
	// Stage is the program that ran when the event was measured. What shim or the
	// firmware measures on behalf of GRUB is GRUB's.
	Stage Stage
	// Loads is the program that was loaded, for an [Image] in PCR 4; "" otherwise.
	Loads Stage
}

// Stages attributes every event of a log, by position. Neither stage nor file
// name is measured, so it goes by the traces that programs leave: shim its
// variables, GRUB its commands, systemd-stub its sections, the kernel its tags.
// An image is what leaves its traces after it; paths decide only without any.
func Stages(l *Log) []Attribution { return stages(l, decodeAll(l)) }

func decodeAll(l *Log) []Body {
	bodies := make([]Body, len(l.Events))
	for i := range l.Events {
		bodies[i] = Decode(&l.Events[i])
	}
	return bodies
}

func stages(l *Log, bodies []Body) []Attribution {
	w := newWalk(l, bodies)
	out := make([]Attribution, len(bodies))
	for i := range bodies {
		out[i] = w.step(i)
	}
	return out
}

// walk follows the boot through the log.
type walk struct {
	events []Event
	bodies []Body
	// nextShim[i] is the index of the first event from i on that bears shim's
	// trace and has no other program's trace before it, or -1. Precomputed, as
	// nextImage is, so that a log with many images takes no quadratic time.
	nextShim []int
	// firstTrace[i] are the traces between i and the next image.
	firstTrace [][]Stage
	nextImage  []int

	run    Stage // the program that runs
	loaded Stage // the last program that was loaded
}

func newWalk(l *Log, bodies []Body) *walk {
	n := len(bodies)
	w := &walk{events: l.Events, bodies: bodies, run: Firmware, loaded: Firmware,
		nextShim: make([]int, n+1), firstTrace: make([][]Stage, n+1), nextImage: make([]int, n+1)}
	w.nextShim[n], w.nextImage[n] = -1, n
	for i := n - 1; i >= 0; i-- {
		w.nextShim[i], w.nextImage[i], w.firstTrace[i] = w.nextShim[i+1], w.nextImage[i+1], w.firstTrace[i+1]
		if w.isProgram(i) {
			w.nextImage[i], w.firstTrace[i] = i, nil
			continue
		}
		switch t := w.trace(i); t {
		case "":
		case Shim:
			w.nextShim[i] = i
			w.firstTrace[i] = prepend(t, w.firstTrace[i+1])
		default:
			w.nextShim[i] = -1
			w.firstTrace[i] = prepend(t, w.firstTrace[i+1])
		}
	}
	return w
}

// prepend puts t first and drops its later occurrence: the result is a list of
// at most as many stages as there are.
func prepend(t Stage, list []Stage) []Stage {
	if len(list) > 0 && list[0] == t {
		return list
	}
	out := []Stage{t}
	for _, s := range list {
		if s != t {
			out = append(out, s)
		}
	}
	return out
}

// isProgram reports whether event i is a boot program: PCR 2 has drivers.
func (w *walk) isProgram(i int) bool {
	img, ok := w.bodies[i].(Image)
	return ok && !img.Driver && w.events[i].PCR == 4
}

// trace returns the program that alone measures an event like i, or "".
func (w *walk) trace(i int) Stage {
	switch b := w.bodies[i].(type) {
	case BootString:
		switch b.Source {
		case GRUBCommand, KernelCommand, ModuleCommand, BootFile:
			return GRUB
		case MokVariable:
			return Shim
		case UKISection:
			return SystemdStub
		}
	case Tag:
		switch b.ID {
		case tagLoadOptions, tagInitrd:
			return Kernel
		case tagLoaderConf:
			return SystemdBoot
		case tagDeviceTreeAddon, tagInitrdAddon, tagUcodeAddon, tagUKIProfile:
			return SystemdStub
		}
	case Variable:
		if b.Authority && (b.Vendor.String() == guidShimLock || b.Name == "vendor_db" || b.Name == "Shim") {
			return Shim
		}
	}
	return ""
}

// bySystemd reports whether event i is one that systemd-boot and systemd-stub
// both measure.
func (w *walk) bySystemd(i int) bool {
	switch b := w.bodies[i].(type) {
	case BootString:
		return b.Source == LoadOptions || b.Source == BootArchive
	case Tag:
		return b.ID == tagSMBIOS1 || b.ID == tagSMBIOS2 || b.ID == tagSMBIOS11
	}
	return false
}

func (w *walk) step(i int) Attribution {
	if w.isProgram(i) {
		a := Attribution{Stage: w.run, Loads: w.classify(i)}
		w.loaded = a.Loads
		// GRUB and systemd load a kernel and go on; the others start what they load.
		if w.run != GRUB && w.run != SystemdBoot && w.run != SystemdStub {
			w.run = a.Loads
		}
		return a
	}
	if t := w.trace(i); t != "" {
		w.run = t
		return Attribution{Stage: t}
	}
	if w.bySystemd(i) {
		if w.run != SystemdStub {
			w.run = SystemdBoot
		}
		return Attribution{Stage: w.run}
	}
	switch b := w.bodies[i].(type) {
	case Action:
		return Attribution{Stage: w.action(b)}
	case Variable:
		if b.Authority {
			return Attribution{Stage: w.run}
		}
	}
	if w.events[i].PCR < 8 || !w.events[i].Measured() {
		return Attribution{Stage: Firmware}
	}
	return Attribution{Stage: w.run}
}

func (w *walk) action(a Action) Stage {
	if strings.HasPrefix(a.Text, "Exit Boot Services") {
		// The loaded kernel calls this; without one, it was started in another way,
		// by the loader that runs.
		if w.loaded == Kernel {
			w.run = Kernel
		}
		return w.run
	}
	w.run, w.loaded = Firmware, Firmware
	return Firmware
}

// classify says what the image of event i is.
func (w *walk) classify(i int) Stage {
	img := w.bodies[i].(Image)
	// shim 16 loads further files before it leaves its first trace.
	if w.run == Firmware && w.nextShim[i+1] >= 0 && !isKnownPath(img.Path.File) {
		return Shim
	}
	for _, t := range w.firstTrace[i+1] {
		// The program that runs still leaves traces after it loaded another.
		if t != w.run && (t != Shim || w.run == Firmware) {
			return t
		}
	}
	if s := stageOfPath(img.Path); s != Unknown {
		return s
	}
	switch {
	case w.run == SystemdStub, w.run == GRUB && img.Path.Text == "":
		// GRUB has shim verify a kernel in memory, which has no path.
		return Kernel
	case w.loadsForSystemdBoot(i):
		return SystemdBoot
	}
	return Unknown
}

// loadsForSystemdBoot reports whether the image of event i leaves no trace but
// loads another for which load options are measured, although it is no unified
// kernel image: systemd-boot before 254 does just that.
func (w *walk) loadsForSystemdBoot(i int) bool {
	j := w.nextImage[i+1]
	if j >= len(w.bodies) || len(w.firstTrace[i+1]) > 0 {
		return false
	}
	for k := j + 1; k < w.nextImage[j+1]; k++ {
		switch t := w.trace(k); {
		case t == SystemdStub:
			return false
		case t == "" && w.bySystemd(k):
			return true
		}
	}
	return false
}

func isKnownPath(file string) bool {
	s := stageOfPath(DevicePath{File: file})
	return s != Unknown && s != Shim
}

func stageOfPath(p DevicePath) Stage {
	base := strings.ToLower(path.Base(p.File))
	switch {
	case p.Media == mediaUKI:
		return Kernel
	case strings.HasPrefix(base, "shim"):
		return Shim
	case strings.HasPrefix(base, "grub"):
		return GRUB
	case strings.HasPrefix(base, "systemd-boot"):
		return SystemdBoot
	case strings.HasPrefix(base, "vmlinuz"), strings.HasPrefix(base, "bzimage"), base == "linux":
		return Kernel
	}
	return Unknown
}
