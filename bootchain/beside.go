package bootchain

import (
	"bytes"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/bootseal/bootseal/eventlog"
	"github.com/bootseal/bootseal/internal/utf16le"
)

// Tags of systemd-stub's events (systemd, tpm2-pcr.h).
const (
	tagDeviceTreeAddon = 0x6C46F751
	tagUcodeAddon      = 0xDAC08E1A
	tagInitrdAddon     = 0x49DFFE0F
	tagProfile         = 0x13AED6DB
)

// addons loads the add-ons of an image, those for all images first, and returns
// the options that they add (PCR 12, all together).
func (w *walk) addons(r run, v version, options []byte) []byte {
	if !v.atLeast(254) {
		return options
	}
	var words []string
	var loaded []run
	uname, _ := r.program.section(".uname")
	for _, dir := range []string{"/loader/addons", r.path + ".extra.d"} {
		for _, name := range w.addonFiles(dir) {
			a := run{path: name, file: w.volume.Files[name], program: w.volume.Files[name].Program}
			if !w.loadImage(eventlog.SystemdStub, a) {
				w.halt("") // the stub goes on without an add-on that is refused
				continue
			}
			other, has := a.program.section(".uname")
			if has && len(uname.Data) > 0 && !bytes.Equal(trimNUL(other.Data), trimNUL(uname.Data)) {
				continue
			}
			loaded = append(loaded, a)
			if s, ok := a.program.section(".cmdline"); ok {
				more, certain := builtInOptions(s.Data, v)
				if !certain {
					w.doubt(whiteSpace, 9, 12)
				}
				words = append(words, more)
			}
		}
	}
	text := strings.Join(slices.DeleteFunc(words, func(s string) bool { return s == "" }), " ")
	if text != "" {
		w.measureOptions(eventlog.SystemdStub, utf16le.EncodeZ(text), r.path+".extra.d")
		before := utf16le.Decode(options)
		if before != "" {
			before += " "
		}
		options = utf16le.EncodeZ(before + text)
	}
	for _, a := range loaded {
		if s, ok := a.program.section(".dtb"); ok {
			w.measureAddon(a, s, tagDeviceTreeAddon)
		}
	}
	return options
}

func trimNUL(b []byte) []byte { return bytes.TrimRight(b, "\x00") }

func (w *walk) addonFiles(dir string) []string {
	out := slices.DeleteFunc(w.volume.below(dir), func(name string) bool {
		return !strings.HasSuffix(strings.ToLower(name), ".addon.efi")
	})
	slices.SortFunc(out, func(a, b string) int { return strings.Compare(path.Base(a), path.Base(b)) })
	return out
}

// measureAddon measures a section of an add-on (PCR 12).
func (w *walk) measureAddon(a run, s Section, tag uint32) {
	w.measureFile(Event{Stage: eventlog.SystemdStub, PCR: 12, Type: eventlog.EventTag, Source: a.path,
		Data: tagEvent(tag, string(utf16le.EncodeZ(path.Base(a.path)))), Reason: "section " + s.Name + " of the add-on " + a.path}, s.Digests)
}

// sidecars measures the archives of what lies beside the image (PCRs 12 and 13),
// and the parts of add-ons that go into the initial ramdisk.
func (w *walk) sidecars(r run, v version) initrd {
	packed, ok := w.volume.Packed[r.path]
	if !ok {
		return w.unpackedInitrd(r)
	}
	for _, a := range packed.Archives {
		w.measureFile(Event{Stage: eventlog.SystemdStub, PCR: a.PCR, Type: eventlog.IPL, Data: utf16le.EncodeZ(a.Name),
			Source: strings.Join(a.Files, ", "), Reason: fmt.Sprintf("%d files that lie beside the image", len(a.Files))}, a.Digests)
	}
	if packed.Initrd == nil {
		return initrd{}
	}
	ram := initrd{offered: true, digests: packed.Initrd, source: r.path, reason: "the initial ramdisk in the image"}
	if len(packed.Archives) > 0 {
		ram.reason += ", and what lies beside it"
	}
	for _, dir := range []string{"/loader/addons", r.path + ".extra.d"} {
		for _, name := range w.addonFiles(dir) {
			for _, part := range []struct {
				section string
				tag     uint32
			}{{".ucode", tagUcodeAddon}, {".initrd", tagInitrdAddon}} {
				s, ok := w.volume.Files[name].Program.section(part.section)
				if !ok || !v.atLeast(256) {
					continue
				}
				w.measureAddon(run{path: name}, s, part.tag)
				ram.digests, ram.reason = nil, name+" adds to the initial ramdisk, and the whole was not measured"
			}
		}
	}
	return ram
}

// unpackedInitrd is for an image that was measured by itself, without its volume.
func (w *walk) unpackedInitrd(r run) initrd {
	s, ok := r.program.section(".initrd")
	sig, _ := r.program.section(".pcrsig")
	key, _ := r.program.section(".pcrpkey")
	if !ok && sig.Size+key.Size == 0 {
		return initrd{}
	}
	ram := initrd{offered: true, digests: s.Digests, source: r.path, reason: "the initial ramdisk in the image"}
	if sig.Size+key.Size > 0 {
		ram.digests, ram.reason = nil, "what the stub adds to the initial ramdisk was not measured with "+r.path
	}
	return ram
}
