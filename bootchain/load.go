package bootchain

import (
	"encoding/binary"
	"fmt"
	"slices"
	"strings"

	"github.com/bootseal/bootseal/eventlog"
	"github.com/bootseal/bootseal/internal/efivars"
	"github.com/bootseal/bootseal/internal/utf16le"
)

// loadAndStart has the firmware load a program from the walk's volume for by, and
// goes on with the program.
func (w *walk) loadAndStart(by eventlog.Stage, r run) []*walk {
	if !w.loadImage(by, r) {
		return []*walk{w}
	}
	return w.start(r)
}

// start goes on with a program that was loaded.
func (w *walk) start(r run) []*walk {
	const most = 12 // programs that start each other
	if len(w.path.Stages) > most {
		w.lost("more than 12 programs start each other")
		return []*walk{w}
	}
	switch s := r.program.stage(); s {
	case eventlog.Shim:
		return w.runShim(r)
	case eventlog.GRUB:
		return w.runGRUB(r)
	case eventlog.SystemdBoot:
		return w.runSystemdBoot(r)
	case eventlog.SystemdStub:
		return w.runStub(r)
	case eventlog.Kernel:
		return w.runKernel(r, initrd{})
	default:
		w.enter(s, s.Title())
		w.lost(fmt.Sprintf("%s is a program that there is no model of (%s)", r.path, s.Title()))
		return []*walk{w}
	}
}

// loadImage is the firmware's LoadImage: it checks the program where Secure Boot
// is on, and measures why it accepts it (PCR 7), the partition table if that was
// not done yet (PCR 5), and the program (PCR 4). It reports false for a program
// that is refused.
func (w *walk) loadImage(by eventlog.Stage, r run) bool {
	if r.program == nil || len(r.program.Authenticode) == 0 {
		w.halt(r.path + " is no program that can be read" + problemOf(r.program))
		return false
	}
	if w.shim != nil && !w.shim.insecure {
		// shim 16 took LoadImage over; with an older one, systemd asks it to vouch
		// for the program, and the firmware leaves it alone.
		return w.shimVerify(by, r)
	}
	if w.enforced && !w.authorize(by, r) {
		return false
	}
	w.partitionTable()
	w.measureImage(by, r, w.unchanged(r))
	return true
}

func problemOf(p *Program) string {
	if p == nil || p.Problem == "" {
		return ""
	}
	return ": " + p.Problem
}

// authorize finds the entry of db that lets the program run.
func (w *walk) authorize(by eventlog.Stage, r run) bool {
	if why := r.program.forbiddenBy(w.list("dbx")); why != "" {
		w.halt(fmt.Sprintf("the firmware refuses %s: %s dbx", r.path, why))
		return false
	}
	entry, ok := r.program.acceptedBy(w.list("db"), false)
	switch {
	case ok:
		w.allow(by, r, entry)
		return true
	case !known7(r.program):
		return w.authorityOfLog(by, r)
	}
	w.halt(fmt.Sprintf("the firmware refuses %s: no entry of db is for its signature%s", r.path, signedBy(r.program)))
	return false
}

func signedBy(p *Program) string {
	if len(p.Signers) == 0 {
		return ", as it is not signed"
	}
	var names []string
	for _, s := range p.Signers {
		names = append(names, s.Subject)
	}
	return " by " + strings.Join(names, ", ")
}

// known7 reports whether a manifest has what it takes to find the entry.
func known7(p *Program) bool {
	return p.Problem == "" && !slices.ContainsFunc(p.Signers, func(s Signer) bool { return len(s.Chain) == 0 })
}

// authorityOfLog copies the entries that the same program was accepted for before.
func (w *walk) authorityOfLog(by eventlog.Stage, r run) bool {
	if _, ok := w.seen(4, r.program.Authenticode); !ok {
		w.unknown(Event{Stage: by, PCR: 7, Type: eventlog.EFIVariableAuthority, Source: r.path,
			Reason: "the manifest does not tell what certificate " + r.path + " is accepted for"})
		return true
	}
	for i := range w.base.explained {
		v, ok := w.base.explained[i].Body.(eventlog.Variable)
		if ok && v.Authority && v.Name == "db" && w.base.explained[i].Stage == by && !w.allowed[string(v.Data())] {
			w.allowed[string(v.Data())] = true
			w.copy(i, r.path+" stays, and is accepted for the same reason")
		}
	}
	return true
}

// allow measures an entry of db, once.
func (w *walk) allow(by eventlog.Stage, r run, entry efivars.Entry) {
	if w.allowed[string(entry.Raw)] {
		return
	}
	w.allowed[string(entry.Raw)] = true
	whole := variableData("db", efivars.ImageSecurity, entry.Raw)
	w.measure(Event{Stage: by, PCR: 7, Type: eventlog.EFIVariableAuthority, Data: whole, Source: r.path,
		Reason: "the entry of db that " + r.path + " is accepted for"}, whole)
}

// unchanged says in words whether the program is the one of the boot in the log.
func (w *walk) unchanged(r run) string {
	if w.base == nil {
		return "the digest of " + r.path
	}
	if _, ok := w.seen(4, r.program.Authenticode); ok {
		return r.path + " stays as it is"
	}
	if r.program.Version != "" {
		return r.path + " is new: " + r.program.Version
	}
	return r.path + " is new"
}

// measureImage measures a program into PCR 4 (PFP, EV_EFI_BOOT_SERVICES_APPLICATION).
func (w *walk) measureImage(by eventlog.Stage, r run, reason string) {
	w.measureFile(Event{Stage: by, PCR: 4, Type: eventlog.EFIBootApplication, Data: imageEvent(r), Reason: reason, Source: r.path},
		r.program.Authenticode)
}

// imageEvent returns UEFI_IMAGE_LOAD_EVENT with the file's path, and without
// addresses, which nobody knows before.
func imageEvent(r run) []byte {
	out := make([]byte, 8)
	out = binary.LittleEndian.AppendUint64(out, uint64(r.file.Size))
	out = binary.LittleEndian.AppendUint64(out, 0)
	path := filePathNode(r.path)
	out = binary.LittleEndian.AppendUint64(out, uint64(len(path)))
	return append(out, path...)
}

// filePathNode returns a device path with a file, nothing for "".
func filePathNode(path string) []byte {
	if path == "" {
		return nil
	}
	name := utf16le.EncodeZ(strings.ReplaceAll(path, "/", `\`))
	if len(name) > 0xF000 {
		return nil
	}
	out := binary.LittleEndian.AppendUint16([]byte{4, 4}, uint16(4+len(name)))
	out = append(out, name...)
	return append(out, 0x7f, 0xff, 4, 0)
}

// innerEvent is the event of a kernel that systemd-stub loads from memory: its
// device path has the vendor's GUID for it.
func innerEvent(r run) []byte {
	const stubPayload = "55c5d1f8-04cd-46b5-8a20-e56cbb3052d0"
	g := guidOf(stubPayload)
	path := append([]byte{4, 3, 20, 0}, g[:]...)
	path = append(path, 0x7f, 0xff, 4, 0)
	out := make([]byte, 8)
	out = binary.LittleEndian.AppendUint64(out, uint64(r.file.Size))
	out = binary.LittleEndian.AppendUint64(out, 0)
	out = binary.LittleEndian.AppendUint64(out, uint64(len(path)))
	return append(out, path...)
}
