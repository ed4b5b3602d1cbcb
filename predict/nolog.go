package predict

import (
	"slices"

	"github.com/bootseal/bootseal/bootchain"
	"github.com/bootseal/bootseal/eventlog"
)

// keepFirmware takes, without a log, the TPM's values for the PCRs in which
// firmware measures itself: no event explains them, and they stay as long as
// nobody changes the firmware.
func (in *Input) keepFirmware(p *Path) {
	if in.Log != nil {
		return
	}
	for _, i := range []int{0, 2, 3, 6} {
		p.Events = slices.DeleteFunc(p.Events, func(e Event) bool { return e.PCR == i })
		known := false
		for _, b := range p.spec.Algorithms {
			if v, ok := in.PCRs.Get(b.Bank, i); ok && !slices.Contains(p.Unknown, i) {
				p.PCRs.Set(b.Bank, i, v)
				known = true
			} else {
				delete(p.PCRs[b.Bank], i)
			}
		}
		if known {
			p.Events = append(p.Events, Event{Stage: eventlog.Firmware, PCR: i, Type: eventlog.NoAction, Baseline: -1,
				Confidence: bootchain.Copied, Description: "what the firmware measured of itself at the running boot",
				Reason: "the TPM has this value now, which holds as long as the firmware and its settings stay"})
		}
	}
}
