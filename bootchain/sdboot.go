package bootchain

import (
	"cmp"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/bootseal/bootseal/eventlog"
	"github.com/bootseal/bootseal/internal/efivars"
	"github.com/bootseal/bootseal/internal/utf16le"
)

const tagLoaderConf = 0xF5BC582A

// runSystemdBoot is systemd-boot. It measures its configuration (PCR 5, since
// 254), chooses an entry, has the firmware load the entry's program (PCRs 7 and
// 4), and measures the options that it passes on (PCR 12).
//
// There is a path for each entry, the default first.
func (w *walk) runSystemdBoot(r run) []*walk {
	w.enter(eventlog.SystemdBoot, "systemd-boot")
	config := w.loaderConf(r)
	entries := w.entries()
	if len(entries) == 0 {
		w.halt("systemd-boot finds no entry in /loader/entries and no image in /EFI/Linux")
		return []*walk{w}
	}
	var out []*walk
	for _, e := range ordered(entries, w.chosen(entries, config)) {
		f := w.fork()
		f.path.Entry = e.id
		f.names = append(f.names, "entry "+e.id)
		out = append(out, f.startEntry(e, r)...)
	}
	return out
}

// ordered puts one entry before the others.
func ordered(entries []blsEntry, first int) []blsEntry {
	out := []blsEntry{entries[first]}
	for i, e := range entries {
		if i != first {
			out = append(out, e)
		}
	}
	return out
}

// loaderConf measures systemd-boot's configuration and returns its settings.
func (w *walk) loaderConf(r run) map[string]string {
	file, found, ok := w.volume.find("/loader/loader.conf", true)
	config := make(map[string]string)
	if !ok {
		return config
	}
	if r.program.number().atLeast(254) {
		w.measureFile(Event{Stage: eventlog.SystemdBoot, PCR: 5, Type: eventlog.EventTag,
			Data: tagEvent(tagLoaderConf, "loader.conf\x00"), Reason: "systemd-boot's configuration", Source: found}, file.Digests)
	}
	for _, line := range strings.Split(file.Text, "\n") {
		key, value, ok := strings.Cut(strings.ReplaceAll(strings.TrimSpace(line), "\t", " "), " ")
		if ok && !strings.HasPrefix(key, "#") {
			config[key] = strings.TrimSpace(value)
		}
	}
	return config
}

// entries lists all entries in the order of the menu.
func (w *walk) entries() []blsEntry {
	var out []blsEntry
	for i := range w.files.Volumes {
		v := &w.files.Volumes[i]
		for _, name := range v.below("/loader/entries") {
			if !strings.EqualFold(path.Ext(name), ".conf") {
				continue
			}
			if e := parseEntry(name, v.Files[name].Text); e.linux != "" || e.efi != "" {
				out = append(out, e)
			}
		}
		for _, name := range v.below("/EFI/Linux") {
			if p := v.Files[name].Program; strings.EqualFold(path.Ext(name), ".efi") && p.stage() == eventlog.SystemdStub {
				out = append(out, imageEntries(name, p)...)
			}
		}
	}
	slices.SortStableFunc(out, compareEntries)
	return out
}

// compareEntries is the order of the menu (UAPI.1, "Sorting"): entries without
// tries left come last, those with a sort key first, newer versions before older
// ones.
func compareEntries(a, b blsEntry) int {
	if c := btoi(a.left == 0) - btoi(b.left == 0); c != 0 {
		return c
	}
	if c := btoi(a.sortKey == "") - btoi(b.sortKey == ""); c != 0 {
		return c
	}
	if a.sortKey != "" {
		c := cmp.Or(strings.Compare(a.sortKey, b.sortKey), strings.Compare(a.machineID, b.machineID),
			-compareVersions(a.version, b.version))
		if c != 0 {
			return c
		}
	}
	if c := -compareVersions(a.id, b.id); c != 0 || a.left < 0 || b.left < 0 {
		return c
	}
	return cmp.Or(-cmp.Compare(a.left, b.left), cmp.Compare(a.done, b.done))
}

// chosen returns the index of the entry that is booted when nobody interferes.
func (w *walk) chosen(entries []blsEntry, config map[string]string) int {
	text := func(name string) string {
		data, _ := w.vars.get(name, efivars.Loader)
		return utf16le.Decode(data)
	}
	last := text("LoaderEntryLastBooted")
	for _, pattern := range []string{text("LoaderEntryOneShot"), text("LoaderEntryDefault"), config["default"]} {
		if pattern == "@saved" {
			pattern = last
		}
		if pattern == "" {
			continue
		}
		for i, e := range entries {
			if matchEntry(pattern, e.id) {
				return i
			}
		}
	}
	return 0
}

func matchEntry(pattern, id string) bool {
	ok, err := path.Match(strings.ToLower(pattern), id)
	return err == nil && ok || strings.EqualFold(pattern, strings.TrimSuffix(id, path.Ext(id)))
}

// startEntry has the firmware load an entry's program.
func (w *walk) startEntry(e blsEntry, r run) []*walk {
	name := cmp.Or(e.linux, e.efi)
	volume, file, found, ok := w.fileOf(e, name)
	if !ok {
		w.halt(fmt.Sprintf("%s, which the entry %s starts, is not there", name, e.id))
		return []*walk{w}
	}
	w.volume = volume
	next := run{path: found, file: file, program: file.Program, configured: e.file}
	if !w.loadImage(eventlog.SystemdBoot, next) {
		return []*walk{w}
	}
	options := entryOptions(e)
	if e.unified {
		options = w.impliedOptions(r.program.number(), file.Program)
	}
	if e.profile > 0 {
		next.options = utf16le.EncodeZ("@" + strconv.Itoa(e.profile))
	}
	if options != "" {
		next.options = utf16le.EncodeZ(options)
		w.measureOptions(eventlog.SystemdBoot, next.options, e.file)
	}
	if e.linux == "" || file.Program.stage() != eventlog.Kernel {
		return w.start(next)
	}
	return w.runKernel(next, w.entryInitrd(e))
}

// impliedOptions are the options that systemd-boot before 256 reads from a
// unified kernel image, passes on and measures, although they are built in.
func (w *walk) impliedOptions(v version, p *Program) string {
	s, ok := p.section(".cmdline")
	if !ok || v.atLeast(256) {
		return ""
	}
	text, certain := builtInOptions(s.Data, v)
	if !certain {
		w.doubt(whiteSpace, 9, 12)
	}
	return text
}

// fileOf finds a file on the volume of its entry.
func (w *walk) fileOf(e blsEntry, name string) (*Volume, File, string, bool) {
	for i := range w.files.Volumes {
		v := &w.files.Volumes[i]
		if _, ok := v.Files[e.file]; !ok {
			continue
		}
		if f, found, ok := v.find(name, true); ok {
			return v, f, found, true
		}
	}
	return nil, File{}, "", false
}

// entryOptions are the options that systemd-boot passes on: it names the initial
// ramdisks for kernels that load them themselves.
func entryOptions(e blsEntry) string {
	var words []string
	for _, name := range e.initrds {
		words = append(words, "initrd="+strings.ReplaceAll(name, "/", `\`))
	}
	if e.options != "" {
		words = append(words, e.options)
	}
	return strings.Join(words, " ")
}

// measureOptions measures the options of a program (PCR 12), in UTF-16 with their
// NUL. systemd 252 and earlier can be built to measure them into PCR 8, too.
func (w *walk) measureOptions(by eventlog.Stage, options []byte, source string) {
	w.measure(Event{Stage: by, PCR: 12, Type: eventlog.IPL, Data: options, Reason: "the options: " + utf16le.Decode(options),
		Source: source}, options)
}

// entryInitrd is what systemd-boot offers to the kernel: the entry's initial
// ramdisks, one after the other.
func (w *walk) entryInitrd(e blsEntry) initrd {
	if len(e.initrds) == 0 {
		return initrd{}
	}
	digests, ok := w.volume.joined(e.initrds, plain)
	ram := initrd{offered: true, digests: digests, source: strings.Join(e.initrds, ", "),
		reason: "the initial ramdisk that the entry " + e.id + " names"}
	if !ok {
		ram.reason = "the initial ramdisks are not there, or were not measured together: " + ram.source
	}
	return ram
}
