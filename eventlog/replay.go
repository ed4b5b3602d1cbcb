package eventlog

import (
	"fmt"

	"github.com/bootseal/bootseal/pcr"
)

// StartupLocality returns the locality at which the TPM was started, which is
// the last byte of PCR 0's first value: what the StartupLocality event says; 4
// without one if an H-CRTM measured the firmware before TPM2_Startup; else 0.
//
// The event's place in the log does not matter, because the value it leads to is
// compared with the TPM's. Two events that differ, or one with another locality
// than 0, 3 or 4, are an error.
func (l *Log) StartupLocality() (byte, error) {
	found := -1
	for i := range l.Events {
		e := &l.Events[i]
		loc, ok := startupLocality(e)
		switch {
		case !ok:
		case loc != 0 && loc != 3 && loc != 4:
			return 0, fmt.Errorf("event %d (EV_NO_ACTION): startup locality %d: want 0, 3 or 4", e.Index, loc)
		case found >= 0 && found != int(loc):
			return 0, fmt.Errorf("event %d (EV_NO_ACTION): startup locality %d contradicts an earlier event's %d",
				e.Index, loc, found)
		default:
			found = int(loc)
		}
	}
	if found >= 0 {
		return byte(found), nil
	}
	for i := range l.Events {
		if e := &l.Events[i]; e.Measured() && e.PCR == 0 {
			if e.Type == EFIHCRTMEvent {
				return 4, nil
			}
			break
		}
	}
	return 0, nil
}

// Replay returns the values that PCRs 0 to 23 have if the log's events were
// extended and nothing else, in every bank of the log that package pcr can
// compute. A PCR without events has its reset value; EV_NO_ACTION events do not
// count. An event without a digest for a bank leaves that bank alone, as it did
// in the TPM: [Verify] shows whether it did.
//
// Errors are those of [Log.StartupLocality], and digests of a wrong size in a
// log that was not parsed.
func (l *Log) Replay() (pcr.Values, error) {
	locality, err := l.StartupLocality()
	if err != nil {
		return nil, err
	}
	values := make(pcr.Values)
	for _, b := range l.Banks() {
		if !b.Available() {
			continue
		}
		var regs [pcr.Count]pcr.Digest
		for i := range regs {
			regs[i] = pcr.Reset(b, i, locality)
		}
		if err := l.replayBank(b, &regs); err != nil {
			return nil, err
		}
		for i, d := range regs {
			values.Set(b, i, d)
		}
	}
	return values, nil
}

func (l *Log) replayBank(b pcr.Bank, regs *[pcr.Count]pcr.Digest) error {
	for i := range l.Events {
		e := &l.Events[i]
		if !e.Measured() {
			continue
		}
		d, ok := e.Digests[b]
		if !ok {
			continue
		}
		if e.PCR < 0 || e.PCR >= pcr.Count {
			return fmt.Errorf("event %d (%s): there is no PCR %d", e.Index, e.Type, e.PCR)
		}
		next, err := pcr.Extend(b, regs[e.PCR], d)
		if err != nil {
			return fmt.Errorf("event %d (%s): %w", e.Index, e.Type, err)
		}
		regs[e.PCR] = next
	}
	return nil
}
