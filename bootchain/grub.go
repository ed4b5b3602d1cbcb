package bootchain

import (
	"fmt"
	"strings"

	"github.com/bootseal/bootseal/eventlog"
)

// grub measures the commands that it runs (PCR 8), every file that it opens
// (PCR 9), and by way of shim or the firmware the kernel that it loads (PCR 4).
//
// As long as its scripts stay the same, it runs the same commands, and only the
// files' digests change. Else the scripts are run. Another GRUB has other
// built-in scripts and modules, and may load a kernel in another way.
func (f *follower) grub(c Component) {
	if r, ok := f.changed(c); ok {
		f.doubt(r.reason+", and another GRUB may measure other events", 4, 8, 9)
	}
	s := f.grubSession(c)
	if s.changedScript() == nil {
		f.sameScripts(s)
		return
	}
	if start, err := f.newScripts(s); err != nil {
		f.notRun(s, start, err)
	}
}

// grubItem is an event that GRUB caused.
type grubItem struct {
	index int // in the log
	kind  itemKind
	text  string // of the boot string
	// For isFile:
	file    grubFile
	payload bool // a kernel or an initial ramdisk, rather than a script or a module
	kernel  bool
	found   finding
}

type itemKind int

const (
	isCommand itemKind = iota
	isCmdline
	isFile
	isLoad   // a program, or the certificate that it is accepted for
	isAction // the firmware's, on GRUB's behalf
	isOther
)

// session is what GRUB did at the boot in the log.
type session struct{ items []grubItem }

func (f *follower) grubSession(c Component) session {
	var s session
	command := ""
	for _, i := range c.Events {
		item := f.grubItem(i)
		switch item.kind {
		case isCommand:
			command, _, _ = strings.Cut(item.text, " ")
		case isFile:
			item.kernel = command == "linux" || command == "linuxefi"
			item.payload = item.kernel || command == "initrd" || command == "initrdefi"
			item.found = f.files.trace(item.file.path, contents, f.digests(i))
		}
		s.items = append(s.items, item)
	}
	return s
}

func (f *follower) grubItem(i int) grubItem {
	item := grubItem{index: i, kind: isOther}
	switch b := f.body(i).(type) {
	case eventlog.BootString:
		item.text = b.Text
		switch b.Source {
		case eventlog.GRUBCommand:
			item.kind = isCommand
		case eventlog.KernelCommand:
			item.kind = isCmdline
		case eventlog.BootFile:
			if file, ok := parseGRUBFile(b.Text, ""); ok {
				item.kind, item.file = isFile, file
			}
		}
	case eventlog.Image, eventlog.Variable:
		item.kind = isLoad
	case eventlog.Action:
		item.kind = isAction
	}
	return item
}

// changedScript returns the first file that changes and steers what GRUB does,
// or nil.
func (s session) changedScript() *grubItem {
	for k := range s.items {
		if it := &s.items[k]; it.kind == isFile && !it.payload && it.found.changed {
			return it
		}
	}
	return nil
}

// sameScripts predicts a GRUB that runs the same commands.
func (f *follower) sameScripts(s session) {
	kernel := ""
	for _, it := range s.items {
		switch it.kind {
		case isFile:
			f.put(it.index, f.found(it.index, it.found))
			if it.kernel {
				kernel = it.file.path
			}
		case isLoad:
			f.loaded(it.index, kernel)
		case isAction:
			f.copied(it.index, "every boot hands over the machine in the same way")
		default:
			f.copied(it.index, "GRUB's scripts stay as they are")
			if title, ok := strings.CutPrefix(it.text, "setparams "); ok {
				f.entry = title
			}
		}
	}
}

// loaded predicts the measurement of a program that GRUB loads: the kernel that
// it read before, unless the event names another file.
func (f *follower) loaded(i int, kernel string) {
	img, ok := f.body(i).(eventlog.Image)
	switch {
	case !ok:
		f.copied(i, "the certificate that the next program is accepted for is taken to stay the same")
	case img.Path.File != "":
		f.image(i, img.Path.File)
	case kernel != "":
		f.image(i, kernel)
	case len(f.changes) == 0:
		f.copied(i, "no file changes")
	default:
		f.unknown(i, "GRUB loaded a program from memory, and the log does not tell from which file")
	}
}

// notRun says that the next boot's scripts could not be run. Events before item
// start are known.
func (f *follower) notRun(s session, start int, err error) {
	reason := "what GRUB will do cannot be told: " + err.Error()
	f.beforeScripts(s, start)
	for _, it := range s.items[start:] {
		if it.kind == isAction {
			f.copied(it.index, "every boot hands over the machine in the same way")
			continue
		}
		f.unknown(it.index, reason)
	}
	f.doubt(reason, 4, 8, 9)
}

// beforeScripts predicts what GRUB does before it opens item start, its first
// script: what is built into it.
func (f *follower) beforeScripts(s session, start int) {
	for _, it := range s.items[:start] {
		switch it.kind {
		case isFile:
			f.put(it.index, f.found(it.index, it.found))
		case isLoad:
			f.loaded(it.index, "")
		default:
			f.copied(it.index, "built into GRUB, which stays as it is")
		}
	}
}

// newScripts runs the scripts of the next boot, after those of the boot in the
// log have led to the events there. It returns the index of the item where that
// begins.
func (f *follower) newScripts(s session) (int, error) {
	start, err := f.firstScript(s)
	if err != nil {
		return start, err
	}
	m, err := f.fitGRUB(s, start)
	if err != nil {
		return start, err
	}
	events, title, err := m.next()
	if err != nil {
		return start, err
	}
	f.beforeScripts(s, start)
	for _, e := range events {
		f.put(s.items[start].index, e)
	}
	for _, it := range s.items[start:] {
		if it.kind == isAction {
			f.copied(it.index, "every boot hands over the machine in the same way")
		}
	}
	f.entry = title
	if f.enforced && m.resigned() {
		f.doubt("the kernel is not signed as before, so that another certificate may be measured", 7)
	}
	return start, nil
}

// firstScript finds the first script whose text at the last boot is known.
func (f *follower) firstScript(s session) (int, error) {
	for k := range s.items {
		it := &s.items[k]
		if it.kind != isFile || it.payload {
			continue
		}
		if old, ok := f.lastFile(it.file.path); ok && old.Text != "" {
			return k, nil
		}
		if it.found.changed {
			return k, fmt.Errorf("%s, and its text at the last boot is not in a manifest", it.found.reason)
		}
	}
	return 0, fmt.Errorf("no script of the last boot is in a manifest")
}

// lastFile returns a file as it was at the last boot. Where its manifest lacks
// it, the next one's is tried: the log will tell whether it is the same.
func (f *follower) lastFile(path string) (File, bool) {
	file, _, ok := f.files.Old.find(path, false)
	if !ok {
		file, _, ok = f.files.New.find(path, false)
	}
	return file, ok
}
