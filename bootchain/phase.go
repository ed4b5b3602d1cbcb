package bootchain

import (
	"slices"

	"github.com/bootseal/bootseal/eventlog"
	"github.com/bootseal/bootseal/pcr"
)

// initrdPhase is what systemd-pcrphase measures into PCR 11 when the initial
// ramdisk begins, before anything is unsealed (systemd-pcrphase.service(8)). An
// initial ramdisk without systemd does not.
const initrdPhase = "enter-initrd"

// phases are the words that follow each other in a boot; with the first if the
// initial ramdisk measures, without the first two if it does not.
func phases() []string { return []string{initrdPhase, "leave-initrd", "sysinit", "ready"} }

// afterPhases reports whether a value of PCR 11 becomes another by the phases of
// a boot, and whether the initial ramdisk measured that it was entered.
func afterPhases(b pcr.Bank, value, want pcr.Digest) (ok, entered bool) {
	if value.Equal(want) {
		return true, false
	}
	for _, from := range []int{0, 2} {
		at := slices.Clone(value)
		for _, word := range phases()[from:] {
			next, err := pcr.Extend(b, at, b.Sum([]byte(word)))
			if err != nil {
				return false, false
			}
			if at = next; at.Equal(want) {
				return true, from == 0
			}
		}
	}
	return false, false
}

// findPhase finds out from the log and the TPM's PCR 11 whether the initial
// ramdisk of the running boot measured that it was entered.
func (k *known) findPhase() {
	values, err := k.Log.Replay()
	if err != nil {
		return
	}
	for _, b := range k.PCRs.Banks() {
		at, ok := values.Get(b, 11)
		now, have := k.PCRs.Get(b, 11)
		if ok && have && b.Available() {
			if _, entered := afterPhases(b, at, now); entered {
				k.entersInitrd = true
			}
		}
	}
}

// enterInitrd is the last event before the unseal, if it was in the running boot.
func (w *walk) enterInitrd() {
	if w.entersInitrd && slices.Contains(w.path.Stages, eventlog.SystemdStub) {
		w.measure(Event{Stage: eventlog.Kernel, PCR: 11, Type: eventlog.IPL, Data: []byte(initrdPhase),
			Reason: "systemd-pcrphase measures that the initial ramdisk begins, as in the running boot"}, []byte(initrdPhase))
	}
}
