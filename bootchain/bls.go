package bootchain

import (
	"cmp"
	"path"
	"strconv"
	"strings"

	"github.com/bootseal/bootseal/pcr"
)

// blsEntry is a boot loader entry (UAPI.1, Boot Loader Specification): a file in
// /loader/entries (type 1), or a unified kernel image in /EFI/Linux (type 2).
type blsEntry struct {
	id        string // the file's base name in lower case, without counters
	file      string // path of the entry, or of the image
	title     string
	version   string
	sortKey   string
	machineID string
	linux     string // path of the kernel, "" for other programs
	efi       string // path of another program
	initrds   []string
	options   string
	unified   bool
	profile   int // of a unified kernel image, 0 is the default
	// left and done are the counters of tries in the file's name; left is -1
	// without counters.
	left, done int
}

// parseEntry reads an entry of type 1. Keys are as systemd-boot reads them: the
// last title counts, options add up, others are ignored.
func parseEntry(name, text string) blsEntry {
	e := blsEntry{file: name, left: -1}
	e.id, e.left, e.done = splitCounters(path.Base(name))
	var options []string
	for _, line := range strings.Split(text, "\n") {
		line = strings.Trim(line, " \t\r")
		key, value, ok := strings.Cut(strings.ReplaceAll(line, "\t", " "), " ")
		value = strings.TrimLeft(value, " ")
		if !ok || value == "" || strings.HasPrefix(line, "#") {
			continue
		}
		switch key {
		case "title":
			e.title = value
		case "version":
			e.version = value
		case "sort-key":
			e.sortKey = value
		case "machine-id":
			e.machineID = value
		case "linux":
			e.linux = slashes(value)
		case "efi", "uki":
			e.efi = slashes(value)
		case "initrd":
			e.initrds = append(e.initrds, slashes(value))
		case "options":
			options = append(options, strings.TrimLeft(line[len(key):], " \t"))
		}
	}
	e.options = strings.Join(options, " ")
	return e
}

func slashes(p string) string { return path.Clean("/" + strings.ReplaceAll(p, `\`, "/")) }

// splitCounters takes the counters of tries off a name: "debian+2-1.conf" is
// debian.conf with two tries left and one done.
func splitCounters(base string) (id string, left, done int) {
	id = strings.ToLower(base)
	ext := path.Ext(id)
	stem := strings.TrimSuffix(id, ext)
	at := strings.LastIndex(stem, "+")
	if at < 0 {
		return id, -1, 0
	}
	l, d, two := strings.Cut(stem[at+1:], "-")
	left, err := strconv.Atoi(l)
	if err != nil || left < 0 {
		return id, -1, 0
	}
	if two {
		if done, err = strconv.Atoi(d); err != nil || done < 0 {
			return id, -1, 0
		}
	}
	return stem[:at] + ext, left, done
}

// imageEntry describes a unified kernel image as systemd-boot does, from the
// sections that name the system.
func imageEntry(name string, p *Program) blsEntry {
	e := blsEntry{file: name, efi: name, unified: true}
	e.id, e.left, e.done = splitCounters(path.Base(name))
	osrel, _ := p.section(".osrel")
	release := parseRelease(string(osrel.Data))
	first := func(keys ...string) string {
		for _, k := range keys {
			if v := release[k]; v != "" {
				return v
			}
		}
		return ""
	}
	e.title = first("PRETTY_NAME", "IMAGE_ID", "NAME", "ID")
	e.sortKey = first("IMAGE_ID", "ID")
	e.version = first("IMAGE_VERSION", "VERSION", "VERSION_ID", "BUILD_ID")
	return e
}

// imageEntries describes an image: an entry for each of its profiles.
func imageEntries(name string, p *Program) []blsEntry {
	first := imageEntry(name, p)
	out := []blsEntry{first}
	for i, id := range p.profiles() {
		if i == 0 {
			continue
		}
		e := first
		e.profile = i
		e.id += "@" + cmp.Or(id, strconv.Itoa(i))
		out = append(out, e)
	}
	return out
}

// parseRelease reads the contents of an os-release file.
func parseRelease(text string) map[string]string {
	out := make(map[string]string)
	for _, line := range strings.Split(strings.TrimRight(text, "\x00"), "\n") {
		key, value, ok := strings.Cut(strings.TrimSpace(line), "=")
		if ok && !strings.HasPrefix(key, "#") {
			out[key] = strings.Trim(value, `"'`)
		}
	}
	return out
}

// Several initial ramdisks after each other: as they are, or each padded to a
// multiple of four bytes before the next begins.
type join string

const (
	plain  join = "+" // systemd-boot
	padded join = "|" // GRUB
)

const paddedSize = 4

func padding(size int64) int64 { return (paddedSize - size%paddedSize) % paddedSize }

// joined returns the digests of files after each other.
func (v *Volume) joined(paths []string, j join) (map[pcr.Bank]pcr.Digest, bool) {
	if len(paths) == 1 {
		f, _, ok := v.find(paths[0], v.foldsCase())
		return f.Digests, ok
	}
	d, ok := v.Joined[strings.Join(paths, string(j))]
	return d, ok
}
