package bootchain

import (
	"bytes"
	"fmt"
	"path"
	"strings"

	"github.com/bootseal/bootseal/eventlog"
	"github.com/bootseal/bootseal/internal/efivars"
	"github.com/bootseal/bootseal/internal/utf16le"
)

// shimState is what later programs have of a shim that ran before them.
type shimState struct {
	program  *Program
	version  version
	insecure bool // Secure Boot is off, or the owner told shim not to check
	level    string
	lists    []shimList
}

// shimList is a list of shim that may allow a program.
type shimList struct {
	name, vendor string
	entries      []efivars.Entry
}

// replacesLoadImage: from 16 on, programs that shim started load others through
// shim instead of the firmware, where it checks signatures.
func (s *shimState) replacesLoadImage() bool { return s.version.atLeast(16) && !s.insecure }

// runShim is shim. It sets the revocation level, mirrors the owner's lists for
// the operating system and measures them (PCRs 7 and 14), and loads the next
// program, which it checks and measures itself (PCRs 7 and 4).
func (w *walk) runShim(r run) []*walk {
	w.enter(eventlog.Shim, "shim")
	s := &shimState{program: r.program, version: r.program.number(), insecure: !w.enforced}
	w.shim = s
	state, disabled := w.vars.get("MokSBStateRT", efivars.Shim)
	if disabled && len(state) == 1 && state[0] == 1 {
		s.insecure = true
	}
	w.pendingRequests()
	level, reason := w.sbatLevel(r.program)
	s.level = level
	extra := w.extraFiles(r)
	w.mirrorLists(r, extra)
	if data, ok := w.vars.get("MokSBStateRT", efivars.Shim); ok {
		w.mirror("MokSBState", data, "as the owner set it")
		w.shimAuthority("MokSBState", data, "MokSBState as the owner set it", "MokSBState")
	}
	if s.version.atLeast(15, 3) {
		w.measureLevel(level, reason)
	}
	if s.version.atLeast(15, 5) {
		trusted, ok := w.vars.get("MokListTrustedRT", efivars.Shim)
		if !ok {
			trusted = []byte{1}
		}
		w.mirror("MokListTrusted", trusted, "shim's default, or as the owner set it")
		if s.version.atLeast(15, 6) && !s.version.atLeast(15, 7) {
			w.shimAuthority("MokListTrusted", trusted, "this version of shim measures it twice", "MokListTrusted")
		}
	}
	if data, ok := w.vars.get("MokPolicyRT", efivars.Shim); ok {
		w.mirror("MokPolicy", data, "as the owner set it")
	}
	return w.secondStage(r)
}

// pendingRequests doubts what shim measures if the owner is going to be asked.
func (w *walk) pendingRequests() {
	for _, name := range []string{"MokNew", "MokSB", "MokPW", "MokAuth", "MokDel", "MokDB", "MokXNew", "MokXDel", "MokXAuth",
		"MokListTrustedNew"} {
		if _, ok := w.vars.get(name, efivars.Shim); ok {
			w.doubt("a request to shim is pending ("+name+"): MokManager will ask about it, and then restart or go on", 4, 7, 14)
			return
		}
	}
}

// shimVariable returns the variable that shim measured in the log.
func (w *walk) shimVariable(name string, index int) (eventlog.Variable, bool) {
	if w.base == nil {
		return eventlog.Variable{}, false
	}
	for i := range w.base.explained {
		if v, ok := w.base.explained[i].Body.(eventlog.Variable); ok && v.Name == name && w.Log.Events[i].PCR == index {
			return v, true
		}
	}
	return eventlog.Variable{}, false
}

// extraFiles measures the files that shim 16 reads before it goes on: revocations
// and further certificates, which it returns.
func (w *walk) extraFiles(r run) []byte {
	if !w.shim.version.atLeast(16) || w.shim.insecure {
		return nil
	}
	var certificates []byte
	for _, name := range w.volume.below(path.Dir(r.path)) {
		base := strings.ToLower(path.Base(name))
		isCertificate := strings.HasPrefix(base, "shim_certificate")
		if !isCertificate && base != "revocations_sbat.efi" && base != "revocations_sku.efi" {
			continue
		}
		file := w.volume.Files[name]
		w.shimVerify(eventlog.Shim, run{path: name, file: file, program: file.Program})
		if s, ok := file.Program.section(".db"); ok && isCertificate {
			certificates = append(certificates, s.Data...)
		} else {
			w.doubt(name+" may change what shim measures", 7, 14)
		}
	}
	return certificates
}

// vendorTable reads shim's section .vendor_cert: the certificate or the list that
// is built in, and the list that is forbidden (shim, cert.S).
func vendorTable(p *Program) (allowed, forbidden []byte, ok bool) {
	s, found := p.section(".vendor_cert")
	if !found || len(s.Data) < 16 {
		return nil, nil, false
	}
	field := func(i int) uint64 { return uint64(le32(s.Data[4*i:])) }
	part := func(size, at uint64) ([]byte, bool) {
		if at+size > uint64(len(s.Data)) {
			return nil, false
		}
		return s.Data[at : at+size], true
	}
	allowed, okA := part(field(0), field(2))
	forbidden, okF := part(field(1), field(3))
	return allowed, forbidden, okA && okF
}

// vendorList returns what is built in as a signature list, and whether it is a
// single certificate.
func vendorList(data []byte) (list []byte, single bool) {
	if len(data) == 0 {
		return nil, false
	}
	if len(trimDER(data)) == len(data) && data[0] == 0x30 {
		return efivars.CertificateList(guidOf(efivars.Shim), data), true
	}
	return data, false
}

// mirrorLists measures MokList and MokListX (PCR 14), and keeps what allows
// programs.
func (w *walk) mirrorLists(r run, extra []byte) {
	allowed, forbidden, ok := vendorTable(r.program)
	vendor, single := vendorList(allowed)
	denied, _ := vendorList(forbidden)
	list, listReason, listKnown := w.mokList("MokList", r, append(bytes.Clone(vendor), extra...))
	w.mirrorOrUnknown("MokList", list, listReason, listKnown && (ok || list != nil))
	x, xReason, xKnown := w.mokList("MokListX", r, denied)
	w.mirrorOrUnknown("MokListX", x, xReason, xKnown && (ok || x != nil))
	s := w.shim
	add := func(name, guid string, data []byte) {
		entries, _ := efivars.Entries(data)
		s.lists = append(s.lists, shimList{name, guid, entries})
	}
	db, _ := w.vars.get("db", efivars.ImageSecurity)
	add("db", efivars.ImageSecurity, db)
	if !single {
		add("vendor_db", efivars.ImageSecurity, vendor)
	}
	if list == nil {
		list = vendor
	}
	if s.version.atLeast(15, 7) || !single {
		add("MokListRT", efivars.Shim, list)
		return
	}
	add("MokListRT", efivars.Shim, bytes.TrimPrefix(list, vendor))
	add("Shim", efivars.Shim, vendor)
}

// mokList returns what shim mirrors as a list: what is built in, then the owner's
// entries. Those are in a variable that only shim can read, so that they follow
// from the mirror of the running boot.
func (w *walk) mokList(name string, r run, builtIn []byte) (data []byte, reason string, known bool) {
	_, same := w.seen(4, r.program.Authenticode)
	mirror, ok := w.vars.get(name+"RT", efivars.Shim)
	_, parts := w.vars.get(name+"RT1", efivars.Shim)
	owner, added := w.vars.get(name+pendingSuffix, efivars.Shim)
	switch {
	case ok && !parts && bytes.HasPrefix(mirror, builtIn):
		// The built-in part is the same as that of the running shim.
		reason = "built in, and the owner's entries as they are"
		if added {
			reason = fmt.Sprintf("%s, and %d bytes that are added", reason, len(owner))
		}
		return append(bytes.Clone(mirror), owner...), reason, true
	case ok && !parts && w.oldBuiltIn(name) != nil && bytes.HasPrefix(mirror, w.oldBuiltIn(name)):
		rest := bytes.TrimPrefix(mirror, w.oldBuiltIn(name))
		return append(append(bytes.Clone(builtIn), rest...), owner...), "built into the new shim, and the owner's entries as they are", true
	case same && !added:
		return nil, "shim and its lists stay as they are", true
	case ok && single(mirror) && len(builtIn) > 0:
		return append(bytes.Clone(builtIn), owner...), "built into the new shim; the owner has no entries", true
	case !ok && w.vars.complete && len(builtIn) == 0:
		return emptyMokList(), "nothing is built in, and the owner has no entries", true
	case !ok && w.base == nil && len(builtIn) > 0:
		return builtIn, "built in; the owner is taken to have no entries", true
	}
	return nil, "the owner's entries of " + name + " are not known", false
}

// pendingSuffix marks, in a what-if, entries that the owner is going to add.
const pendingSuffix = "+"

// single reports whether a list has one entry: the certificate that is built in.
func single(list []byte) bool {
	entries, err := efivars.Entries(list)
	return err == nil && len(entries) == 1
}

// oldBuiltIn returns what was built into the shim of the last boot, nil if its
// files are not known.
func (w *walk) oldBuiltIn(name string) []byte {
	if w.Booted == nil {
		return nil
	}
	for i := range w.Booted.Volumes {
		for _, f := range w.Booted.Volumes[i].Files {
			if f.Program.stage() != eventlog.Shim {
				continue
			}
			if _, ok := w.seen(4, f.Program.Authenticode); !ok {
				continue
			}
			allowed, forbidden, _ := vendorTable(f.Program)
			if name == "MokListX" {
				allowed = forbidden
			}
			list, _ := vendorList(allowed)
			return list
		}
	}
	return nil
}

// emptyMokList is what shim mirrors for an empty list: one hash of zeros, owned
// by shim.
func emptyMokList() []byte {
	owner := guidOf(efivars.Shim)
	return efivars.HashList(owner[:], make([]byte, 32))
}

// mirrorOrUnknown measures a mirrored list; nil data is that of the log.
func (w *walk) mirrorOrUnknown(name string, data []byte, reason string, known bool) {
	switch {
	case known && data != nil:
		w.mirror(name, data, reason)
	case known && w.copyMirror(name, reason):
	default:
		w.unknown(Event{Stage: eventlog.Shim, PCR: 14, Type: eventlog.IPL, Data: []byte(name + "\x00"), Reason: reason, Source: name})
	}
}

// copyMirror copies the event of a mirrored variable from the log.
func (w *walk) copyMirror(name, reason string) bool {
	if w.base == nil {
		return false
	}
	for i := range w.Log.Events {
		e := &w.Log.Events[i]
		if b, ok := w.base.explained[i].Body.(eventlog.BootString); ok && e.PCR == 14 && b.Text == name {
			w.copy(i, reason)
			return true
		}
	}
	return false
}

func (w *walk) mirror(name string, data []byte, reason string) {
	w.measure(Event{Stage: eventlog.Shim, PCR: 14, Type: eventlog.IPL, Data: []byte(name + "\x00"), Reason: reason, Source: name}, data)
}

// measureLevel measures the revocation level (PCR 7).
func (w *walk) measureLevel(level, reason string) {
	if level == "" {
		w.unknown(Event{Stage: eventlog.Shim, PCR: 7, Type: eventlog.EFIVariableAuthority, Reason: reason, Source: "SbatLevel"})
		return
	}
	w.shimAuthority("SbatLevel", []byte(level), reason, "SbatLevel")
}

// shimAuthority measures a variable of shim's, once (PCR 7).
func (w *walk) shimAuthority(name string, data []byte, reason, source string) {
	w.shimMeasures(eventlog.Shim, name, efivars.Shim, data, reason, source)
}

func (w *walk) shimMeasures(by eventlog.Stage, name, vendor string, data []byte, reason, source string) {
	key := name + vendor + string(data)
	if w.shimAllowed[key] {
		return
	}
	w.shimAllowed[key] = true
	whole := variableData(name, vendor, data)
	hashed := whole
	if !w.shim.version.atLeast(15, 2) {
		hashed = append(bytes.Clone(whole), 0, 0, 0, 0, 0)
	}
	w.measure(Event{Stage: by, PCR: 7, Type: eventlog.EFIVariableAuthority, Data: whole, Reason: reason, Source: source}, hashed)
}

// secondStage loads the program that shim starts: GRUB, unless its load options
// name another, or there is the helper that makes boot entries.
func (w *walk) secondStage(r run) []*walk {
	name := "grub" + archSuffix(r.path)
	if option, ok := secondStageOption(r); ok {
		name = option
	}
	dir := path.Dir(r.path)
	if strings.EqualFold(dir, "/EFI/BOOT") && isFallback(r.path) {
		if _, found, ok := w.volume.find("/EFI/BOOT/fb"+archSuffix(r.path), true); ok {
			name = found
		}
	}
	if !strings.HasPrefix(name, "/") {
		name = path.Join(dir, name)
	}
	file, found, ok := w.volume.find(name, true)
	if !ok {
		w.halt(name + ", which shim starts, is not there")
		return []*walk{w}
	}
	next := run{path: found, file: file, program: file.Program}
	if !w.shimVerify(eventlog.Shim, next) {
		return []*walk{w}
	}
	return w.start(next)
}

// archSuffix returns "x64.efi" for BOOTX64.EFI and shimx64.efi.
func archSuffix(name string) string {
	base := strings.ToLower(path.Base(name))
	for _, arch := range []string{"aa64.efi", "riscv64.efi", "ia32.efi", "loongarch64.efi"} {
		if strings.HasSuffix(base, arch) {
			return arch
		}
	}
	return "x64.efi"
}

// secondStageOption reads the file that shim's load options name first.
func secondStageOption(r run) (string, bool) {
	text := utf16le.Decode(r.options)
	first, _, _ := strings.Cut(strings.TrimSpace(text), " ")
	first = strings.ReplaceAll(first, `\`, "/")
	if !strings.HasSuffix(strings.ToLower(first), ".efi") || strings.EqualFold(path.Base(first), path.Base(r.path)) {
		return "", false
	}
	return first, true
}

// shimVerify is how shim loads a program, and checks a kernel for GRUB: it
// measures why it accepts it (PCR 7), and the program (PCR 4).
func (w *walk) shimVerify(by eventlog.Stage, r run) bool {
	if r.program == nil || len(r.program.Authenticode) == 0 {
		w.halt(r.path + " is no program that can be read" + problemOf(r.program))
		return false
	}
	if !w.shim.insecure && !w.shimAllows(by, r) {
		return false
	}
	w.measureImage(by, r, w.unchanged(r))
	return true
}

// shimAllows finds the entry of shim's lists that lets the program run.
func (w *walk) shimAllows(by eventlog.Stage, r run) bool {
	s := w.shim
	if why := r.program.forbiddenBy(w.list("dbx")); why != "" {
		w.halt(fmt.Sprintf("shim refuses %s: %s dbx", r.path, why))
		return false
	}
	if why := revokes(s.level, r.program); why != "" {
		w.halt(fmt.Sprintf("shim refuses %s: %s", r.path, why))
		return false
	}
	for _, l := range s.lists {
		e, ok := r.program.acceptedBy(l.entries, true)
		if !ok {
			continue
		}
		data := e.Raw
		if l.name == "Shim" || !s.version.atLeast(15, 3) {
			data = e.Data()
		}
		w.shimMeasures(by, l.name, l.vendor, data, fmt.Sprintf("the entry of %s that %s is accepted for", l.name, r.path), r.path)
		return true
	}
	if !known7(r.program) {
		return w.authorityOfLog(by, r)
	}
	w.halt(fmt.Sprintf("shim refuses %s: neither db nor its own lists have an entry for its signature%s", r.path, signedBy(r.program)))
	return false
}

func le32(b []byte) uint32 {
	return uint32(b[0]) | uint32(b[1])<<8 | uint32(b[2])<<16 | uint32(b[3])<<24
}
