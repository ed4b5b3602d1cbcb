package bootchain

import (
	"slices"
	"strconv"
	"strings"

	"github.com/bootseal/bootseal/eventlog"
	"github.com/bootseal/bootseal/internal/utf16le"
)

// unifiedSections are the sections that systemd-stub measures, in the order in
// which it does, with the version of systemd that began to (UAPI.5).
func unifiedSections() []unifiedSection {
	return []unifiedSection{
		{".linux", 250}, {".osrel", 250}, {".cmdline", 250}, {".initrd", 250}, {".ucode", 256}, {".splash", 250},
		{".dtb", 250}, {".uname", 253}, {".sbat", 253}, {".pcrpkey", 252}, {".profile", 257}, {".dtbauto", 257},
		{".hwids", 257}, {".efifw", 258},
	}
}

type unifiedSection struct {
	name  string
	since int
}

// runStub is systemd-stub, the first program of a unified kernel image. It
// measures the sections of the image, each as its name and its contents (PCR 11),
// options that replace the built-in command line (PCR 12), and what lies beside
// the image (PCRs 12 and 13), and has the firmware load the kernel (PCR 4).
func (w *walk) runStub(r run) []*walk {
	w.enter(eventlog.SystemdStub, "unified kernel image "+r.path)
	version := stubVersion(r.program)
	profile := profileOption(&r)
	sections := r.program.profile(profile)
	for _, section := range r.program.stubMeasures(profile) {
		w.measureSection(r, section)
	}
	if profile > 0 {
		number := utf16le.EncodeZ(strconv.Itoa(profile))
		w.measure(Event{Stage: eventlog.SystemdStub, PCR: 12, Type: eventlog.EventTag, Data: tagEvent(tagProfile, string(number)),
			Reason: "the profile that is chosen", Source: r.path}, number)
	}
	if version.atLeast(252) {
		w.path.Signatures = sections[".pcrsig"].Data
	}
	options := w.addons(r, version, w.stubOptions(r, sections[".cmdline"], version))
	ram := w.sidecars(r, version)
	if profile > 0 && ram.offered {
		ram.digests, ram.reason = nil, "the initial ramdisk of another profile than the default was not measured"
	}
	kernel := sections[".linux"]
	if kernel.Program == nil {
		w.unknown(Event{Stage: eventlog.SystemdStub, PCR: 4, Type: eventlog.EFIBootApplication, Source: r.path,
			Reason: "the kernel in the image cannot be read"})
		return []*walk{w}
	}
	inner := run{program: kernel.Program, file: File{Size: kernel.Size}, options: options, configured: r.path}
	w.loadInner(r, inner)
	return w.runKernel(inner, ram)
}

// profile returns the sections of a profile of the image: those before the first
// section .profile, in place of which come those of the profile itself (UAPI.5,
// "Multi-Profile UKIs").
func (p *Program) profile(number int) map[string]Section {
	out := make(map[string]Section)
	at := -1
	for _, s := range p.Sections {
		if s.Name == ".profile" {
			at++
		}
		_, known := out[s.Name]
		if at == number || at < 0 && !known {
			out[s.Name] = s
		}
	}
	return out
}

// profiles returns the names of the image's profiles, none without any.
func (p *Program) profiles() []string {
	var out []string
	for _, s := range p.Sections {
		if s.Name == ".profile" {
			out = append(out, parseRelease(string(s.Data))["ID"])
		}
	}
	return out
}

// profileOption takes "@1" off the options, with which a profile is chosen.
func profileOption(r *run) int {
	text, ok := strings.CutPrefix(utf16le.Decode(r.options), "@")
	number, rest, _ := strings.Cut(text, " ")
	n, err := strconv.Atoi(number)
	if !ok || err != nil || n < 0 {
		return 0
	}
	r.options = nil
	if rest != "" {
		r.options = utf16le.EncodeZ(rest)
	}
	return n
}

// stubVersion is the stub's, which the section .sdmagic tells. The .sbat section
// may be the kernel's.
func stubVersion(p *Program) version {
	if v := p.number(); v != nil {
		return v
	}
	return version{252}
}

func (w *walk) measureSection(r run, s Section) {
	name := []byte(s.Name + "\x00")
	e := Event{Stage: eventlog.SystemdStub, PCR: 11, Type: eventlog.IPL, Data: name, Source: r.path}
	e.Reason = "the name of section " + s.Name
	w.measure(e, name)
	e.Reason = "the contents of section " + s.Name
	w.measureFile(e, s.Digests)
}

// whiteSpace is why a command line in an image may not be known.
const whiteSpace = "it is not known what this release of systemd makes of the white space in the section .cmdline"

// stubOptions returns the kernel's command line: the built-in one, or that which
// the stub was started with, if it may be replaced.
func (w *walk) stubOptions(r run, builtIn Section, v version) []byte {
	if len(r.options) >= 2 && le16(r.options) > 0x1f && (!w.enforced || builtIn.Size == 0) {
		w.measureOptions(eventlog.SystemdStub, r.options, r.path)
		return r.options
	}
	if builtIn.Size == 0 {
		return nil
	}
	options, certain := builtInOptions(builtIn.Data, v)
	if !certain {
		w.doubt(whiteSpace, 9)
	}
	return utf16le.EncodeZ(options)
}

func le16(b []byte) uint16 { return uint16(b[0]) | uint16(b[1])<<8 }

// builtInOptions is the section .cmdline as systemd's programs pass it on: up to its NUL, without
// white space around it, and with spaces in place of control characters. That is 253's way at
// the end, which 252's later releases have, too (252.39 was seen), and 255's at the beginning;
// certain is false where it is not known whether this release does it, and it matters.
func builtInOptions(data []byte, v version) (options string, certain bool) {
	if i := slices.Index(data, 0); i >= 0 {
		data = data[:i]
	}
	out := make([]byte, len(data))
	certain = v.atLeast(252, 39)
	for i, c := range data {
		if c <= 0x1f {
			c = ' '
		}
		out[i] = c
	}
	trimmed := strings.TrimLeft(string(out), " ")
	if len(trimmed) != len(out) && !v.atLeast(255) {
		return trimmed, false
	}
	trimmed = strings.TrimRight(trimmed, " ")
	return trimmed, certain || trimmed == string(data)
}

// loadInner is the firmware's LoadImage for the kernel in the image. With Secure
// Boot on, the stub vouches for the kernel in the firmware's place, which then
// neither checks nor measures it: the image was, as a whole.
func (w *walk) loadInner(image, kernel run) {
	if w.enforced || stubVersion(image.program).atLeast(258) {
		return
	}
	kernel.path = ""
	w.measureFile(Event{Stage: eventlog.SystemdStub, PCR: 4, Type: eventlog.EFIBootApplication, Data: innerEvent(kernel),
		Reason: "the kernel in " + image.path + ": " + kernelName(kernel.program), Source: image.path}, kernel.program.Authenticode)
}
