package bootchain

import (
	"github.com/bootseal/bootseal/eventlog"
	"github.com/bootseal/bootseal/pcr"
)

// Confidence says how much is behind a predicted event.
type Confidence string

const (
	// Computed: the digests follow from the files of the next boot.
	Computed Confidence = "computed"
	// Copied: nothing that the event depends on changes, as far as the manifests
	// tell, so that the digests of the log at hand hold.
	Copied Confidence = "copied"
	// Unknown: the digests cannot be told, and so neither can the PCR's value.
	Unknown Confidence = "unknown"
)

// Event is an event that the next boot will log.
type Event struct {
	Stage      eventlog.Stage // who measures it
	PCR        int
	Type       eventlog.Type
	Data       []byte                  // as in the log; addresses in it are not predicted
	Digests    map[pcr.Bank]pcr.Digest // nil for Unknown
	Confidence Confidence
	Reason     string // in words
	Source     string // the file that it depends on, as the manifest names it, or ""
	Baseline   int    // index of the event in the log at hand that it comes from, -1 if new
}

// Doubt is a reason why a PCR's value cannot be told.
type Doubt struct {
	PCR    int    `json:"pcr"`
	Reason string `json:"reason"`
}

// Outcome is what [Boot.Follow] says about the next boot.
type Outcome struct {
	Events []Event
	// Doubts has an entry for each PCR that cannot be told, or several; in the
	// order in which they were found.
	Doubts []Doubt
	// Entry is the title of the menu entry that GRUB boots, "" without GRUB.
	Entry string
}
