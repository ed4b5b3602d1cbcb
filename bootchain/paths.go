package bootchain

import (
	"fmt"
	"slices"
	"strings"

	"github.com/bootseal/bootseal/eventlog"
)

// fallbackFile is what firmware boots from a disk that no load option names a
// file of (UEFI specification, "Removable Media Boot Behavior").
const fallbackFile = "/EFI/BOOT/BOOTX64.EFI"

// fallbackFiles has the name of each architecture, the usual first.
func fallbackFiles() []string {
	return []string{fallbackFile, "/EFI/BOOT/BOOTAA64.EFI", "/EFI/BOOT/BOOTRISCV64.EFI", "/EFI/BOOT/BOOTIA32.EFI"}
}

// way is a load option of the firmware that leads to a file.
type way struct {
	name    string
	volume  int // index in the manifest
	file    string
	options []byte
	// variable is the load option, "" for none.
	variable string
	tries    int // that the firmware makes, this one included
	order    int // 0: BootNext, 1: the boot order, 2: only if somebody chooses it
	// position is tries where no load option before this one works, 0 outside of the boot
	// order. See failures for the others.
	position int
	refused  []run
	unclear  string
}

// Paths returns the ways that the next boot may take, the likeliest first. Each
// has all events up to the moment at which the kernel takes over the machine,
// which is when the initial ramdisk begins. There is at least one path; a machine
// without a program that firmware could boot is an error.
func (m Machine) Paths() ([]Path, error) {
	k, err := m.know()
	if err != nil {
		return nil, err
	}
	if k.base != nil && k.isBIOS() {
		return []Path{k.biosPath()}, nil
	}
	proof := k.proof()
	var out []Path
	var before failures
	for _, way := range k.ways(&m.Files, k.vars) {
		way = before.leadTo(way)
		walks := k.play(way, &m.Files, k.vars)
		before.add(way, walks)
		for _, w := range walks {
			out = append(out, w.done())
		}
	}
	proof.judge(out)
	if len(out) == 0 {
		return nil, fmt.Errorf("no program to boot: no load option leads to a file, and there is no %s", fallbackFile)
	}
	// A way that halts is no likely one.
	slices.SortStableFunc(out, func(a, b Path) int { return btoi(a.Halts != "") - btoi(b.Halts != "") })
	return out, nil
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

// play plays a boot from the firmware on.
func (k *known) play(y way, files *Manifest, vars variables) []*walk {
	w := k.walk(files, vars)
	w.volume = &files.Volumes[y.volume]
	w.names = append(w.names, y.name)
	w.firmware(y)
	w.afterFailures(y)
	file, found, ok := w.volume.find(y.file, true)
	if !ok {
		w.halt(y.file + " is not there")
		return []*walk{w}
	}
	return w.loadAndStart(eventlog.Firmware, run{path: found, file: file, program: file.Program, options: y.options,
		configured: y.variable})
}

// ways lists the load options that lead to a file, in the order in which the
// firmware would come to them.
func (k *known) ways(files *Manifest, vars variables) []way {
	order := vars.numbers("BootOrder")
	var out []way
	add := func(number uint16, tries, rank int) bool {
		o, ok := vars.bootOption(number)
		if !ok {
			return false
		}
		volume, file, ok := k.resolve(o, files)
		if !ok || slices.ContainsFunc(out, func(w way) bool { return w.name == o.name() }) {
			return false
		}
		y := way{name: o.name(), variable: bootName(number), volume: volume, file: file, tries: tries, order: rank}
		if o.Path.File != "" {
			y.options = o.optional
		}
		out = append(out, y)
		return true
	}
	for _, n := range vars.numbers("BootNext") {
		add(n, 1, 0)
	}
	tries, booted := 0, false
	for _, n := range order {
		o, ok := vars.bootOption(n)
		if !ok || !o.tried() {
			continue
		}
		tries++
		// Whoever boots another than the first that works chooses it: it is the
		// first that is tried.
		at := tries
		if booted {
			at = 1
		}
		if add(n, k.adjusted(n, at, vars), 1+btoi(booted)) {
			out[len(out)-1].position = k.adjusted(n, tries, vars)
			booted = true
		}
	}
	if len(out) == 0 || !slices.ContainsFunc(out, func(w way) bool { return isFallback(w.file) }) {
		if y, ok := k.fallbackWay(files, max(1, k.tries)); ok {
			out = append(out, y)
		}
	}
	slices.SortStableFunc(out, func(a, b way) int { return a.order - b.order })
	return out
}

// adjusted returns the number of tries up to a load option. The log knows better
// about the one that it is of: firmware may leave out devices that are not there.
func (k *known) adjusted(number uint16, tries int, vars variables) int {
	if current := vars.numbers("BootCurrent"); k.tries > 0 && len(current) == 1 && current[0] == number {
		return k.tries
	}
	return tries
}

func isFallback(file string) bool {
	return slices.ContainsFunc(fallbackFiles(), func(f string) bool { return strings.EqualFold(f, file) })
}

func (k *known) fallbackWay(files *Manifest, tries int) (way, bool) {
	for _, name := range fallbackFiles() {
		for i := range files.Volumes {
			if _, found, ok := files.Volumes[i].find(name, true); ok {
				return way{name: "fallback", volume: i, file: found, tries: tries, order: 2}, true
			}
		}
	}
	return way{}, false
}

// resolve returns the volume and the file that a load option leads to.
func (k *known) resolve(o bootOption, files *Manifest) (volume int, file string, ok bool) {
	if o.Path.File == "" {
		if !k.isBootDisk(o) {
			return 0, "", false
		}
		y, ok := k.fallbackWay(files, 0)
		return y.volume, y.file, ok
	}
	for i := range files.Volumes {
		v := &files.Volumes[i]
		if p := o.Path.Partition; p != nil && p.UUID != nil && v.Partition != "" && p.UUID.String() != v.Partition {
			continue
		}
		if k.elsewhere(o) && v.Partition == "" {
			continue
		}
		if _, found, ok := v.find(o.Path.File, true); ok {
			return i, found, true
		}
	}
	return 0, "", false
}

// elsewhere reports whether a load option names a partition that is not on the
// machine's boot disk.
func (k *known) elsewhere(o bootOption) bool {
	p := o.Path.Partition
	if k.GPT == nil || p == nil || p.UUID == nil {
		return false
	}
	for _, have := range k.GPT.Partitions {
		if have.UUID == *p.UUID {
			return false
		}
	}
	return true
}

// isBootDisk reports whether a load option without a file names the disk that the
// boot in the log came from; without a log, the one that booted.
func (k *known) isBootDisk(o bootOption) bool {
	if o.Path.Text == "" || o.Path.Media != "" {
		return false
	}
	if img, ok := k.image(); ok {
		return strings.HasPrefix(img.Path.Text+"/", o.Path.Text+"/")
	}
	current := k.vars.numbers("BootCurrent")
	return len(current) == 1 && current[0] == o.number
}
