package bootchain

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/bootseal/bootseal/bootchain/grub"
	"github.com/bootseal/bootseal/eventlog"
	"github.com/bootseal/bootseal/internal/efivars"
	"github.com/bootseal/bootseal/internal/utf16le"
	"github.com/bootseal/bootseal/pcr"
)

// maxGRUBOutcomes bounds the ways that are looked for in GRUB's scripts. Three kernels with a
// recovery mode each, before and after a boot that failed (Ubuntu's recordfail), have 18.
const maxGRUBOutcomes = 24

// runGRUB is GRUB. It measures the commands that it runs (PCR 8), every file that
// it opens (PCR 9), and by way of shim or the firmware the kernel that it loads
// (PCR 4). There is a path for each way that its scripts can take, the one that
// needs nobody at the keyboard first. Package grub runs the scripts.
func (w *walk) runGRUB(r run) []*walk {
	w.enter(eventlog.GRUB, "GRUB")
	binary := r.program.GRUB
	if binary == nil {
		return w.grubLost("the manifest does not tell what is built into " + r.path)
	}
	g := w.grubWorld()
	image := &grub.Image{Binary: *binary, Device: g.name(w.volume), Folder: path.Dir(r.path),
		SecureBoot: w.enforced && (w.shim == nil || !w.shim.insecure)}
	outcomes, err := grub.Run(g, image, grub.Options{MaxOutcomes: maxGRUBOutcomes, Facts: w.grubFacts()})
	if err != nil {
		return w.grubLost(err.Error())
	}
	var out []*walk
	for i := range outcomes {
		f := w.fork()
		o := &grubPlay{walk: f, world: g, image: image, outcome: &outcomes[i], self: r}
		out = append(out, o.play()...)
	}
	return out
}

// toSetup is EFI_OS_INDICATIONS_BOOT_TO_FW_UI (UEFI specification, "Exchanging information between
// the OS and Firmware").
const toSetup = 1

// grubFacts are what GRUB's commands ask the firmware, and the variables answer.
func (w *walk) grubFacts() map[string]grub.Fact {
	data, there := w.vars.get("OsIndicationsSupported", efivars.Global)
	if !there || len(data) != 8 {
		return nil
	}
	return map[string]grub.Fact{grub.AsksForSetup: {False: data[0]&toSetup == 0}}
}

func (w *walk) grubLost(reason string) []*walk {
	w.doubt("what GRUB will do cannot be told: "+reason, 4, 8, 9)
	w.takeOver(eventlog.Kernel)
	return []*walk{w}
}

// grubPlay turns an outcome into events.
type grubPlay struct {
	*walk
	world   *grubWorld
	image   *grub.Image
	outcome *grub.Outcome
	self    run
	loaded  run // the kernel or the program that GRUB loads
	// environment is the path of the environment block, once it was read: from then on,
	// what commands do depends on it.
	environment string
}

func (p *grubPlay) play() []*walk {
	o := p.outcome
	p.path.Entry = strings.Join(o.Titles, ">")
	if len(o.Titles) > 0 {
		p.names = append(p.names, p.path.Entry)
	}
	if len(o.Because) > 0 {
		p.names = append(p.names, "if "+strings.Join(o.Because, ", "))
	}
	p.path.If = unpicked(o)
	for i := range o.Effects {
		e := &o.Effects[i]
		p.effect(e)
		if p.path.Halts != "" {
			return []*walk{p.walk}
		}
	}
	for _, d := range o.Doubts {
		p.doubt("GRUB: "+d.Reason, d.PCRs...)
	}
	return p.end()
}

// unpicked are an outcome's reasons but that somebody picks the entries of its title.
func unpicked(o *grub.Outcome) []string {
	return slices.DeleteFunc(slices.Clone(o.Because), func(why string) bool {
		return slices.ContainsFunc(o.Titles, func(title string) bool { return why == grub.Picked(title) })
	})
}

// effect adds the events of one effect.
func (p *grubPlay) effect(e *grub.Effect) {
	data, hashed := p.image.Dialect.Event(e)
	event := Event{Stage: eventlog.GRUB, PCR: e.PCR(), Type: eventlog.IPL, Data: data, Reason: stringReason(e), Source: p.sourceOf(e)}
	if e.Kind != grub.Opened {
		p.measure(event, hashed)
		return
	}
	_, file, found, ok := p.world.file(e.File)
	event.Source, event.Reason = found, fmt.Sprintf("%s: %s, which %s opens", found, e.Role, shortWhere(e))
	if ok && e.Role == grub.Environment {
		p.environment = found
	}
	switch {
	case hashed != nil:
		if len(p.outcome.Because) > 0 {
			p.path.assumed = found
		}
		event.Reason = fmt.Sprintf("%s, as GRUB left it (%s)", e.Role, shortWhere(e))
		p.measure(event, hashed)
	case !ok:
		event.Source, event.Reason = e.File.Path, e.File.String()+" is not in the manifest"
		p.unknown(event)
	default:
		p.measureFile(event, file.Digests)
	}
	if ok && (e.Role == grub.Kernel || e.Role == grub.Program) {
		p.loads(e, run{path: found, file: file, program: file.Program, configured: p.sourceOf(e)})
	}
}

// shortWhere names the place in a script by the script's base name.
func shortWhere(e *grub.Effect) string {
	if e.Script == "" {
		return e.Where()
	}
	short := *e
	short.Script = path.Base(e.Script)
	return short.Where()
}

// stringReason says which line of which script runs what.
func stringReason(e *grub.Effect) string {
	const most = 60
	text := []rune(strings.ReplaceAll(e.Text, "\n", " "))
	if len(text) > most {
		text = append(text[:most:most], '…')
	}
	return shortWhere(e) + ": " + string(text)
}

// sourceOf names the script that an effect comes from, and the environment block if it was
// read before: for what is built in, the program itself.
func (p *grubPlay) sourceOf(e *grub.Effect) string {
	if name, ok := scriptPath(e.Script); ok {
		if p.environment != "" {
			name += ", " + p.environment
		}
		return name
	}
	return p.self.path
}

// scriptPath takes the device off a script's name.
func scriptPath(s string) (string, bool) {
	if i := strings.IndexByte(s, ')'); strings.HasPrefix(s, "(") && i > 0 {
		s = s[i+1:]
	}
	return s, strings.HasPrefix(s, "/")
}

// loads adds what loading a kernel measures before GRUB goes on.
func (p *grubPlay) loads(e *grub.Effect, r run) {
	p.loaded = r
	if e.Role != grub.Kernel || r.program == nil {
		if e.Role == grub.Kernel && p.enforced {
			p.halt(r.path + " is no program that can be read")
		}
		return
	}
	for range p.kernelLoads() {
		if !p.shimVerify(eventlog.GRUB, r) {
			return
		}
	}
}

// kernelLoads is how often shim measures a kernel for GRUB's command linux (PCR
// 4): the log shows it for the same GRUB; else it follows from how GRUB was made.
func (p *grubPlay) kernelLoads() int {
	if p.shim == nil || p.shim.insecure || p.loadsImage() {
		return 0
	}
	if n, ok := p.loggedLoads(); ok {
		return n
	}
	// The distributions' own code for Linux asks shim, as the verifier does that
	// GRUB has for all files since 2.06.
	if has(p.self.program.sbat(), "grub.debian") || has(p.self.program.sbat(), "grub.ubuntu") {
		return 2
	}
	return 1
}

// loggedLoads counts the images that the same GRUB had loaded in the log.
func (p *grubPlay) loggedLoads() (int, bool) {
	if p.base == nil {
		return 0, false
	}
	if _, same := p.seen(4, p.self.program.Authenticode); !same {
		return 0, false
	}
	n, kernels := 0, 0
	for i := range p.base.explained {
		x := &p.base.explained[i]
		if _, ok := x.Body.(eventlog.Image); ok && x.Stage == eventlog.GRUB && x.PCR == 4 {
			n++
		}
		if b, ok := x.Body.(eventlog.BootString); ok && b.Source == eventlog.KernelCommand {
			kernels++
		}
	}
	return n, kernels == 1 && (n > 0 || !p.enforced)
}

// loadsImage reports whether GRUB starts kernels by way of the firmware's
// LoadImage: since 2.12, unless shim's older protocol is what checks them.
func (p *grubPlay) loadsImage() bool {
	if n, ok := p.stubInLog(); ok {
		return n
	}
	v := grubVersion(p.self.program)
	if !v.atLeast(2, 12) {
		return false
	}
	return p.shim == nil || p.shim.insecure || v.atLeast(2, 14) && p.shim.replacesLoadImage()
}

// stubInLog reports whether the kernel's stub measured something after the same
// GRUB.
func (p *grubPlay) stubInLog() (stub, known bool) {
	if p.base == nil || p.base.last(eventlog.GRUB) == nil {
		return false, false
	}
	if _, same := p.seen(4, p.self.program.Authenticode); !same {
		return false, false
	}
	for i := range p.base.explained {
		if t, ok := p.base.explained[i].Body.(eventlog.Tag); ok && (t.ID == tagLoadOptions || t.ID == tagInitrd) {
			return true, true
		}
	}
	return false, true
}

// grubVersion is the version of the distribution's GRUB, or GRUB's own.
func grubVersion(p *Program) version {
	return parseVersion(strings.TrimPrefix(strings.TrimPrefix(p.Version, "GRUB "), "1:"))
}

// end goes on with what GRUB starts.
func (p *grubPlay) end() []*walk {
	o := p.outcome
	switch o.End {
	case grub.Booted:
	case grub.AtMenu, grub.AtPrompt, grub.Left, grub.Off, grub.Reset:
		p.halt("GRUB " + string(o.End) + lastError(o.Output))
		return []*walk{p.walk}
	default:
		p.takeOver(eventlog.Kernel)
		return []*walk{p.walk}
	}
	r := p.loaded
	switch {
	case o.Boot.Command == "chainloader":
		return p.chainload(r)
	case r.program == nil || !strings.HasPrefix(o.Boot.Command, "linux"):
		p.lost("GRUB starts " + o.Boot.Image.String() + " with " + o.Boot.Command + ", which there is no model of")
		return []*walk{p.walk}
	case p.loadsImage():
		return p.startByFirmware(r)
	}
	p.enter(eventlog.Kernel, kernelName(r.program))
	p.takeOver(eventlog.Kernel)
	return []*walk{p.walk}
}

// lastError returns what GRUB complained about last.
func lastError(output string) string {
	lines := strings.Split(strings.TrimSpace(output), "\n")
	for _, line := range slices.Backward(lines) {
		if text, ok := strings.CutPrefix(line, "error: "); ok {
			return ", after the error: " + strings.TrimSuffix(text, ".")
		}
	}
	return ""
}

// startByFirmware loads the kernel as an EFI program, with its stub.
func (p *grubPlay) startByFirmware(r run) []*walk {
	if !p.loadImage(eventlog.GRUB, r) {
		return []*walk{p.walk}
	}
	// GRUB passes the command line without the final NUL.
	r.options = utf16le.Encode(unescaped(p.outcome.Boot.Cmdline))
	return p.runKernel(r, p.initrd())
}

// unescaped is the command line as the kernel gets it: what is measured into PCR
// 8 begins with the kernel's path, the kernel gets it as BOOT_IMAGE.
func unescaped(cmdline string) string { return "BOOT_IMAGE=" + cmdline }

// initrd is what GRUB offers to the kernel's stub.
func (p *grubPlay) initrd() initrd {
	names := p.outcome.Boot.Initrds
	if len(names) == 0 {
		return initrd{}
	}
	var paths []string
	var volumes []*Volume
	for _, n := range names {
		v, _, found, ok := p.world.file(n)
		if !ok {
			return initrd{offered: true, reason: n.String() + " is not in the manifest", source: n.Path}
		}
		paths = append(paths, found)
		if !slices.Contains(volumes, v) {
			volumes = append(volumes, v)
		}
	}
	ram := initrd{offered: true, source: strings.Join(paths, ", "), reason: "the initial ramdisk that GRUB loads"}
	if len(volumes) > 1 {
		ram.reason = "initial ramdisks on several file systems were not measured together"
		return ram
	}
	var digests map[pcr.Bank]pcr.Digest
	var ok bool
	if digests, ok = volumes[0].joined(paths, padded); !ok {
		ram.reason = "the initial ramdisks were not measured together: " + ram.source
	}
	ram.digests = digests
	return ram
}

// chainload starts another EFI program.
func (p *grubPlay) chainload(r run) []*walk {
	if v, _, _, ok := p.world.file(p.outcome.Boot.Image); ok {
		p.walk.volume = v
	}
	if p.shim != nil && !p.shim.insecure && !p.shim.replacesLoadImage() {
		if !p.shimVerify(eventlog.GRUB, r) {
			return []*walk{p.walk}
		}
		return p.start(r)
	}
	return p.loadAndStart(eventlog.GRUB, r)
}
