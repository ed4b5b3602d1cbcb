package predict

import (
	"github.com/bootseal/bootseal/bootchain"
	"github.com/bootseal/bootseal/eventlog"
	"github.com/bootseal/bootseal/pcr"
)

// initrdPhase is what systemd-pcrphase measures when the initial ramdisk begins
// (systemd-pcrphase.service(8)), before anything is unsealed.
const initrdPhase = "enter-initrd"

// phases are the words that follow each other in a boot.
func phases() []string { return []string{initrdPhase, "leave-initrd", "sysinit", "ready"} }

// entersInitrd reports whether the initial ramdisk of the running boot measured
// that it was entered: the log leads to the TPM's PCR 11 only with that.
func (in *Input) entersInitrd() bool {
	if in.Log == nil {
		return false
	}
	values, err := in.Log.Replay()
	if err != nil {
		return false
	}
	for _, b := range in.PCRs.Banks() {
		at, ok := values.Get(b, 11)
		now, have := in.PCRs.Get(b, 11)
		if !ok || !have || !b.Available() || at.Equal(now) {
			continue
		}
		for _, word := range phases() {
			if at, err = pcr.Extend(b, at, b.Sum([]byte(word))); err != nil {
				return false
			}
			if at.Equal(now) {
				return true
			}
		}
	}
	return false
}

// enterInitrd is the event, which no log of the firmware has.
func (p *Path) enterInitrd() Event {
	digests := make(map[pcr.Bank]pcr.Digest)
	log := &eventlog.Log{Spec: p.spec}
	for _, b := range log.Banks() {
		if b.Available() {
			digests[b] = b.Sum([]byte(initrdPhase))
		}
	}
	return Event{Stage: eventlog.Kernel, PCR: 11, Type: eventlog.IPL, Digests: digests, Confidence: bootchain.Computed,
		Reason: "systemd-pcrphase measures that the initial ramdisk begins, as in the running boot", Baseline: -1,
		Data: []byte(initrdPhase)}
}
