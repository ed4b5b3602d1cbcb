package eventlog

import (
	"bytes"
	"maps"
	"slices"
	"strings"

	"github.com/bootseal/bootseal/pcr"
)

// Status is what [Check] found out about a digest.
type Status string

// The results of a check.
const (
	// Explained: the digests are the hash of what the event's data says.
	Explained Status = "explained"
	// NotExplainable: they are the hash of something that is not in the log, a
	// file for example.
	NotExplainable Status = "not-explainable"
	// Mismatch: the data should explain the digests, and does not. Somebody
	// changed the log, or wrote it wrong. PCRs and digests may still agree.
	Mismatch Status = "mismatch"
	// NotMeasured: the event is information, and was not extended.
	NotMeasured Status = "not-measured"
)

// CheckResult is the result of [Check].
type CheckResult struct {
	Status Status `json:"status"`
	// What says in words which bytes were hashed, for Explained.
	What string `json:"what,omitempty"`
	// Banks are those whose digest is wrong, for Mismatch.
	Banks []pcr.Bank `json:"banks,omitempty"`
}

// Check compares an event's digests with its data, in every bank that package
// pcr can compute. The same bytes must explain all of them: digests that agree
// with the data in one bank and not in another are a Mismatch.
//
// NotExplainable vouches for nothing: whoever forges a log can choose words that
// explain no digest. Decide on digests.
func Check(e *Event) CheckResult { return check(e, Decode(e)) }

func check(e *Event, body Body) CheckResult {
	if !e.Measured() {
		return CheckResult{Status: NotMeasured}
	}
	var banks []pcr.Bank
	for _, b := range slices.Sorted(maps.Keys(e.Digests)) {
		if b.Available() {
			banks = append(banks, b)
		}
	}
	cands, must := candidates(e, body)
	if len(banks) == 0 || len(cands) == 0 {
		return CheckResult{Status: NotExplainable}
	}
	for _, c := range cands {
		var wrong []pcr.Bank
		for _, b := range banks {
			if !b.Sum(c.data).Equal(e.Digests[b]) {
				wrong = append(wrong, b)
			}
		}
		switch len(wrong) {
		case 0:
			return CheckResult{Status: Explained, What: c.what}
		case len(banks):
		default:
			return CheckResult{Status: Mismatch, Banks: wrong}
		}
	}
	if must {
		return CheckResult{Status: Mismatch, Banks: banks}
	}
	return CheckResult{Status: NotExplainable}
}

// candidate is something that may have been hashed.
type candidate struct {
	what string
	data []byte
}

// whatName marks the first of the two events of a section in a unified kernel
// image.
const whatName = "the section's name"

// candidates returns what the digest of an event can be the hash of, the likely
// first. must says that it is one of them; otherwise it may as well be the hash
// of something that is not in the log.
func candidates(e *Event, body Body) (cands []candidate, must bool) {
	whole := candidate{"the event's data", e.Data}
	switch e.Type {
	case SeparatorType:
		// With an error, the value 1 is measured and the data describes the error
		// (PFP, "EV_SEPARATOR").
		return []candidate{whole, {"the error value", []byte{1, 0, 0, 0}}}, true
	case ActionType, EFIAction:
		return []candidate{whole, {"the text", bytes.TrimRight(e.Data, "\x00")}}, true
	case EFIGPTEvent, EFIGPTEvent2, EFIVariableConfig:
		return []candidate{whole}, true
	case EFIVariableAuthority:
		cands = []candidate{whole}
		if v, ok := body.(Variable); ok {
			padded := append(bytes.Clone(v.structure(e)), make([]byte, shimPadding)...)
			cands = append(cands, candidate{"the event's data and padding", padded})
		}
		return cands, true
	case EFIVariableBoot, EFIVariableBoot2:
		cands = []candidate{whole}
		if v, ok := body.(Variable); ok {
			cands = []candidate{{"the variable's contents", v.Data()}, whole}
		}
		return cands, true
	case EFIBootApplication, EFIBootDriver, EFIRuntimeDriver, EFIFirmwareBlob, EFIFirmwareBlob2:
		return nil, false
	case IPL:
		if b, ok := body.(BootString); ok {
			return bootStringCandidates(e, b)
		}
	case EventTag:
		if len(e.Data) >= 8 {
			return []candidate{{"the tagged data", e.Data[8:]}, whole}, false
		}
	}
	return []candidate{whole}, false
}

func bootStringCandidates(e *Event, b BootString) ([]candidate, bool) {
	text, withNUL := []byte(b.Text), []byte(b.Text+"\x00")
	switch b.Source {
	case GRUBCommand, KernelCommand, ModuleCommand:
		return []candidate{{"the text", text}, {"the text and a NUL", withNUL}}, true
	case LoadOptions:
		return []candidate{
			{"the text in UTF-16 with a NUL", e.Data},
			{"the text in UTF-16", bytes.TrimSuffix(e.Data, []byte{0, 0})},
		}, true
	case UKISection:
		return []candidate{{whatName, withNUL}}, false
	case MokVariable:
		return mokCandidates(b.Text), false
	case BootFile, BootArchive:
		return nil, false
	}
	return []candidate{{"the event's data", e.Data}, {"the text", text}}, false
}

// mokCandidates are the contents that shim's variables have on a machine whose
// owner changed nothing.
func mokCandidates(name string) []candidate {
	switch {
	case name == "MokListTrusted":
		return []candidate{{"1, the default: yes", []byte{1}}}
	case name == "MokSBState":
		return []candidate{{"1: it does not", []byte{1}}, {"0: it does", []byte{0}}}
	case strings.HasPrefix(name, "MokList"):
		return []candidate{{"an empty list", emptyMokList()}}
	}
	return nil
}

// emptyMokList is what shim mirrors for an empty list: a signature list with one
// SHA-256 hash of zeros, owned by shim.
func emptyMokList() []byte {
	typ, _ := ParseGUID(guidCertSHA256)
	owner, _ := ParseGUID(guidShimLock)
	b := append([]byte(nil), typ[:]...)
	b = append(b, 76, 0, 0, 0, 0, 0, 0, 0, 48, 0, 0, 0) // sizes of list, header, entry
	b = append(b, owner[:]...)
	return append(b, make([]byte, 32)...)
}
