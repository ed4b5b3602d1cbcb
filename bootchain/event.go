package bootchain

import (
	"github.com/bootseal/bootseal/eventlog"
	"github.com/bootseal/bootseal/pcr"
)

// Confidence says how much is behind a predicted event.
type Confidence string

const (
	// Computed: the digests follow from the files, variables and tables of the next
	// boot.
	Computed Confidence = "computed"
	// Copied: only the firmware knows what it measured here; the digests are those
	// of the baseline, which hold as long as nobody changes the firmware.
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
	// Source is what the event depends on: a file by its path, a variable by its
	// name, or "".
	Source   string
	Baseline int // index of the event in the log at hand whose place it takes, -1 if new
}

// Doubt is a reason why a PCR's value cannot be told.
type Doubt struct {
	PCR    int    `json:"pcr"`
	Reason string `json:"reason"`
}

// Path is one way that the next boot may take.
type Path struct {
	// Name tells the way apart from the others: "Boot0002 UEFI Misc Device: shim,
	// GRUB, Debian GNU/Linux".
	Name string
	// Entry is what the last boot menu on the way starts: the identifier of a
	// systemd-boot entry, the title of GRUB's, or "".
	Entry string
	// If says what has to be for GRUB to go this way, beside that somebody picks Entry.
	If []string
	// Stages are the programs in the order in which they run.
	Stages []eventlog.Stage
	// Signatures is the section .pcrsig of the unified kernel image that runs, nil without
	// one: signatures of PCR policies in systemd-measure's JSON, not measured and not verified,
	// which the image hands to its initial ramdisk.
	Signatures []byte
	Events     []Event
	Doubts     []Doubt
	// Halts says why this way leads to no operating system, "" if it does: a
	// program is missing, or will be refused.
	Halts string

	// assumed is the path of a file that is another one in this way than on the disk: an
	// environment block as it is after a boot that failed. "" for none.
	assumed string
}
