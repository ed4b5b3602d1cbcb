package status

import (
	"github.com/bootseal/bootseal/eventlog"
	"github.com/bootseal/bootseal/node/volumes"
	"github.com/bootseal/bootseal/pcr"
)

// Verdict is what a line says about its subject.
type Verdict string

// The verdicts.
const (
	OK      Verdict = "ok"
	Warn    Verdict = "warn"    // the disks will open, and somebody should look at this
	Unknown Verdict = "unknown" // cannot tell
	Bad     Verdict = "bad"     // a disk will not open, or what would tell so is not to be believed
)

// rank orders verdicts from the best to the worst.
func (v Verdict) rank() int {
	return map[Verdict]int{OK: 0, Warn: 1, Unknown: 2, Bad: 3}[v]
}

// Worse returns the worse of two verdicts.
func (v Verdict) Worse(w Verdict) Verdict {
	if w.rank() > v.rank() {
		return w
	}
	return v
}

// Line is one thing that was looked at.
type Line struct {
	What    string  `json:"what"` // "Secure Boot"; a name for programs, too
	Verdict Verdict `json:"verdict"`
	Says    string  `json:"says"`
	// More are further lines about the same, one fact each.
	More []string `json:"more,omitempty"`
	// Remedy says what to do, "" where there is nothing to do.
	Remedy string `json:"remedy,omitempty"`
}

// Section is a group of lines.
type Section struct {
	Name  string `json:"name"` // "TPM", "firmware", ...
	Lines []Line `json:"lines"`
}

// Verdict returns the worst of the section.
func (s *Section) Verdict() Verdict {
	worst := OK
	for _, l := range s.Lines {
		worst = worst.Worse(l.Verdict)
	}
	return worst
}

// Report is what [Judge] found.
type Report struct {
	Version  int       `json:"version"` // of this form: 1
	Verdict  Verdict   `json:"verdict"` // the worst of all lines
	Sections []Section `json:"sections"`
	// PCRs are what the event log says about each PCR, and Volumes what there is to
	// know of each volume: for programs.
	PCRs    []eventlog.Verdict `json:"pcrs,omitempty"`
	Volumes []VolumeReport     `json:"volumes"`
}

// VolumeReport is a volume, for programs.
type VolumeReport struct {
	VolumeCheck
	Tokens     []TokenReport `json:"tokens"`
	Recovery   []int         `json:"recovery_keyslots"`
	LastUnlock *volumes.Note `json:"last_unlock,omitempty"`
	Unfinished string        `json:"unfinished,omitempty"` // what began and did not end: reseal, enroll
	Kept       bool          `json:"kept"`                 // a secret is kept to reseal with
}

// TokenReport is a token that a TPM keeps the passphrase of.
type TokenReport struct {
	ID       int           `json:"id"`
	Type     string        `json:"type"`
	Keyslots []int         `json:"keyslots"`
	Bank     pcr.Bank      `json:"bank"`
	PCRs     pcr.Selection `json:"pcrs"`
	PIN      bool          `json:"pin"`
	// SignedPCRs are those of a signed policy, and Guard is the count up to which the
	// token opens; nil without.
	SignedPCRs *pcr.Selection `json:"signed_pcrs,omitempty"`
	Guard      *uint64        `json:"guard,omitempty"`
	Label      string         `json:"label,omitempty"`
	Now        bool           `json:"now"`               // it is for the running boot
	Refused    string         `json:"refused,omitempty"` // why this TPM does not take it
}

const reportVersion = 1

func newReport(sections ...Section) *Report {
	r := &Report{Version: reportVersion, Verdict: OK, Volumes: []VolumeReport{}}
	for _, s := range sections {
		if len(s.Lines) > 0 {
			r.Sections = append(r.Sections, s)
			r.Verdict = r.Verdict.Worse(s.Verdict())
		}
	}
	return r
}
