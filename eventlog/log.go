package eventlog

import (
	"bytes"

	"github.com/bootseal/bootseal/pcr"
)

// Log is a parsed event log.
type Log struct {
	// Spec is what the log's first event says about its format.
	Spec Spec `json:"spec"`
	// Events are all events in the order of the log, the Spec ID event and other
	// EV_NO_ACTION events included.
	Events []Event `json:"events"`
	// Padding is the number of zero bytes after the last event. Firmware offers
	// the whole memory area that it reserved, and some kernels pass that on.
	Padding int `json:"padding,omitempty"`
	// Unwritten is the number of 0xFF bytes after the last event instead: firmware of
	// confidential VMs offers its log's memory (ACPI table CCEL) as it was, which is for a
	// warning, since no specification has it.
	Unwritten int `json:"unwritten,omitempty"`
}

// Event is one record: what somebody extended into a PCR, and what they said
// about it. Only the digest was extended. Type and Data are claims, which
// [Check] compares with the digest where it can.
type Event struct {
	// Index is the event's position in the log, from 0: the Spec ID event, where
	// there is one. tpm2_eventlog numbers events in the same way.
	Index int `json:"index"`
	// Offset is where the event starts in the log, in bytes.
	Offset int `json:"offset"`
	// PCR is 0 to 23 for an event that was extended. An EV_NO_ACTION event may
	// carry any number.
	PCR     int                     `json:"pcr"`
	Type    Type                    `json:"type"`
	Digests map[pcr.Bank]pcr.Digest `json:"digests"`
	Data    []byte                  `json:"data"`
}

// Measured reports whether the event was extended into its PCR: every type but
// EV_NO_ACTION.
func (e *Event) Measured() bool { return e.Type != NoAction }

// Banks returns the log's digest algorithms in the order of its header: SHA-1
// alone in a log that is not crypto-agile. The list can have banks that package
// pcr cannot compute.
func (l *Log) Banks() []pcr.Bank {
	if !l.Spec.CryptoAgile() {
		return []pcr.Bank{pcr.SHA1}
	}
	out := make([]pcr.Bank, len(l.Spec.Algorithms))
	for i, a := range l.Spec.Algorithms {
		out[i] = a.Bank
	}
	return out
}

// Clone returns a deep copy, for those who change a log.
func (l *Log) Clone() *Log {
	c := *l
	c.Spec.Algorithms = append([]Algorithm(nil), l.Spec.Algorithms...)
	c.Spec.VendorInfo = bytes.Clone(l.Spec.VendorInfo)
	c.Events = make([]Event, len(l.Events))
	for i, e := range l.Events {
		e.Data = bytes.Clone(e.Data)
		digests := make(map[pcr.Bank]pcr.Digest, len(e.Digests))
		for b, d := range e.Digests {
			digests[b] = bytes.Clone(d)
		}
		e.Digests = digests
		c.Events[i] = e
	}
	return &c
}
