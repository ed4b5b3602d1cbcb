package bootchain

import (
	"github.com/bootseal/bootseal/eventlog"
	"github.com/bootseal/bootseal/internal/utf16le"
	"github.com/bootseal/bootseal/pcr"
)

// initrd is an initial ramdisk that a loader offers to the kernel's EFI stub by
// the protocol made for it. The zero value is none: one that the command line
// names with initrd= is loaded by the stub itself, and not measured.
type initrd struct {
	offered bool
	digests map[pcr.Bank]pcr.Digest
	source  string
	reason  string
}

// The events of the Linux EFI stub (Linux, drivers/firmware/efi/libstub,
// efistub.h): a tag, the size of the text, the text.
const (
	tagLoadOptions = 0x8F3B22ED
	tagInitrd      = 0x8F3B22EC
)

// runKernel is the Linux EFI stub. It measures the command line, as it is passed
// (PCR 9, since 6.1), and the initial ramdisk (PCR 9, since 5.18), and takes over
// the machine (PCR 5).
func (w *walk) runKernel(r run, ram initrd) []*walk {
	w.enter(eventlog.Kernel, kernelName(r.program))
	measuresOptions, measuresInitrd := w.stubMeasures(r.program)
	if measuresOptions && len(r.options) > 0 {
		w.measure(Event{Stage: eventlog.Kernel, PCR: 9, Type: eventlog.EventTag,
			Data:   tagEvent(tagLoadOptions, "LOADED_IMAGE::LoadOptions\x00"),
			Reason: "the kernel command line: " + utf16le.Decode(r.options), Source: r.configured}, r.options)
	}
	if measuresInitrd && ram.offered {
		w.measureFile(Event{Stage: eventlog.Kernel, PCR: 9, Type: eventlog.EventTag, Data: tagEvent(tagInitrd, "Linux initrd\x00"),
			Reason: ram.reason, Source: ram.source}, ram.digests)
	}
	w.takeOver(eventlog.Kernel)
	w.enterInitrd()
	return []*walk{w}
}

func kernelName(p *Program) string {
	if p == nil || p.Version == "" {
		return "Linux"
	}
	return p.Version
}

// stubMeasures says what a kernel's stub measures. A kernel that does not tell
// its version is taken for a recent one.
func (w *walk) stubMeasures(p *Program) (options, initrd bool) {
	v := p.number()
	if v == nil {
		return true, true
	}
	return v.atLeast(6, 1), v.atLeast(5, 18)
}

// takeOver is ExitBootServices (PFP, "EV_EFI_ACTION"). Firmware that measures no
// such actions has none in its log.
func (w *walk) takeOver(by eventlog.Stage) {
	const calling, returned = "Exit Boot Services Invocation", "Exit Boot Services Returned with Success"
	if w.base != nil && !w.hasAction(calling) {
		return
	}
	for _, text := range []string{calling, returned} {
		w.measure(Event{Stage: by, PCR: 5, Type: eventlog.EFIAction, Data: []byte(text),
			Reason: "every kernel takes over the machine in the same way"}, []byte(text))
	}
}

func (w *walk) hasAction(text string) bool {
	for i := range w.base.explained {
		if a, ok := w.base.explained[i].Body.(eventlog.Action); ok && a.Text == text {
			return true
		}
	}
	return false
}
