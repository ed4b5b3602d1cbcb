package bootchain

import (
	"slices"

	"github.com/bootseal/bootseal/eventlog"
)

// failures are the load options that the firmware tries in vain before it comes to another.
type failures struct {
	works   bool  // one of them boots: whoever boots another has chosen it
	next    int   // those of BootNext, which are no part of the boot order
	refused []run // programs that the firmware refuses
	unclear string
}

// add notes what becomes of a load option.
func (f *failures) add(y way, walks []*walk) {
	measured := false
	for _, w := range walks {
		if w.path.Halts == "" {
			f.works = true
			return
		}
		measured = measured || slices.ContainsFunc(w.path.Events, func(e Event) bool { return e.Type == eventlog.EFIBootApplication })
	}
	if f.works || len(walks) == 0 {
		return
	}
	if y.order == 0 {
		f.next++
	}
	if measured {
		f.unclear = y.variable + " is tried before, and fails after " + y.file + " was measured"
		return
	}
	file, found, _ := walks[0].volume.find(y.file, true)
	f.refused = append(f.refused, run{path: found, file: file, program: file.Program})
}

// leadTo returns a load option as the firmware comes to it by itself.
func (f *failures) leadTo(y way) way {
	if f.works || len(f.refused) == 0 && f.unclear == "" {
		return y
	}
	if y.position > 0 {
		y.tries = y.position + f.next
	} else {
		y.tries = max(y.tries, 1+len(f.refused))
	}
	y.refused, y.unclear = slices.Clone(f.refused), f.unclear
	return y
}

// because names what the number of tries depends on.
func (y *way) because() string {
	source := "BootOrder"
	if len(y.refused) > 0 {
		source += ", db, dbx"
	}
	for _, r := range y.refused {
		source += ", " + r.path
	}
	return source
}

// afterFailures measures what is left of the load options before. A program whose digest is in
// dbx has been accepted for its entry of db by then, which is measured (edk2,
// DxeImageVerificationLib: the signatures are checked first, and each with dbx's certificates
// before db's).
func (w *walk) afterFailures(y way) {
	for _, r := range y.refused {
		if !w.enforced || r.program == nil {
			continue
		}
		if entry, ok := r.program.acceptedBy(w.list("db"), false); ok && r.program.signerForbiddenBy(w.list("dbx")) == "" {
			w.allow(eventlog.Firmware, r, entry)
		}
	}
	if y.unclear != "" {
		w.lost(y.unclear)
	}
}
