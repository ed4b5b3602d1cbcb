package plan

import (
	"bytes"

	"github.com/bootseal/bootseal/eventlog"
	"github.com/bootseal/bootseal/pcr"
)

// phasePCR is the one that systemd-pcrphase goes on extending while the system comes
// up, after the volume was opened (systemd-pcrphase.service(8)).
const phasePCR = 11

// enterInitrd is the phase that is measured before the volume is opened, if any is.
const enterInitrd = "enter-initrd"

// Running returns the values that the running boot may have had when it opened the
// volume: those of now, and the same with PCR 11 as the log has it, which moves on
// afterwards. log may be nil.
//
// They decide only which tokens are kept. One too many costs room, one too few could
// cost the machine its disk.
func Running(now pcr.Values, log *eventlog.Log) []pcr.Values {
	out := []pcr.Values{now}
	if log == nil {
		return out
	}
	logged, err := log.Replay()
	if err != nil {
		return out
	}
	for _, b := range now.Banks() {
		at, ok := logged.Get(b, phasePCR)
		have, _ := now.Get(b, phasePCR)
		if !ok || !b.Available() {
			continue
		}
		entered, err := pcr.Extend(b, at, b.Sum([]byte(enterInitrd)))
		if err != nil {
			continue
		}
		for _, d := range []pcr.Digest{at, entered} {
			if bytes.Equal(d, have) {
				continue
			}
			v := now.Clone()
			v.Set(b, phasePCR, d)
			out = append(out, v)
		}
	}
	return out
}
