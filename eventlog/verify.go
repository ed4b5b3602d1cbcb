package eventlog

import (
	"fmt"

	"github.com/bootseal/bootseal/pcr"
)

// Agreement is the result for one PCR.
type Agreement string

// The results of [Verify].
const (
	// Agrees: the log leads to the PCR's value.
	Agrees Agreement = "agrees"
	// Differs: it leads to another value. Log or PCR were changed, or something
	// was measured that the log does not have.
	Differs Agreement = "differs"
	// NotGiven: the log has events for the PCR, but its value was not given.
	NotGiven Agreement = "not-given"
	// NotCovered: the log cannot speak of the PCR, whatever its value is.
	NotCovered Agreement = "not-covered"
)

// Verdict is what a log says about one PCR.
type Verdict struct {
	Bank   pcr.Bank   `json:"bank"`
	PCR    int        `json:"pcr"`
	Result Agreement  `json:"result"`
	Events int        `json:"events"`          // measured events of the PCR with a digest for the bank
	Log    pcr.Digest `json:"log,omitempty"`   // the value that the log leads to
	TPM    pcr.Digest `json:"tpm,omitempty"`   // the value that was given
	Reason string     `json:"reason"`          // in words
	After  []string   `json:"after,omitempty"` // what the system measured after the log ended, for Agrees
}

// Verify holds a log against PCR values: one verdict for each PCR of every bank
// that has values, in order.
//
// The log speaks of PCRs 0 to 9 and 11 to 15, and a PCR without events must hold
// its reset value: otherwise removing all events of a PCR would go unnoticed. It
// never speaks of
//
//   - PCR 10: the kernel's integrity measurements (IMA), which have their own log;
//   - PCRs 16 and 23, which any program can reset and then extend to any value;
//   - PCRs 17 to 22, which belong to a dynamic launch, with its own log.
//
// Two PCRs go on growing after the firmware's log is closed. In PCR 11, systemd
// measures boot phases, fixed words in a fixed order: a value that follows from
// the log and the first so many of them agrees. In PCR 15, it measures the
// machine's identity and volume keys, which a log without events for PCR 15
// cannot know: a value there is not covered, rather than different, and so does
// not count as verified either. No boot program measures to PCR 15. Anything
// else that a running system extends, the setup of NV indexes into PCR 9 by recent
// versions of systemd for example, differs: the log cannot tell it from tampering.
//
// Errors are those of [Log.Replay]. Use [Verified] for the sum.
func Verify(l *Log, values pcr.Values) ([]Verdict, error) {
	replayed, err := l.Replay()
	if err != nil {
		return nil, err
	}
	var out []Verdict
	for _, b := range values.Banks() {
		events := l.eventCounts(b)
		for i := range pcr.Count {
			v := Verdict{Bank: b, PCR: i, Events: events[i]}
			v.Log, _ = replayed.Get(b, i)
			v.TPM, _ = values.Get(b, i)
			v.decide()
			if v.TPM != nil || v.Result == NotGiven {
				out = append(out, v)
			}
		}
	}
	return out, nil
}

// Verified reports whether verdicts have at least one PCR that agrees and none
// that differs or lacks a value. It says nothing about PCRs that are not
// covered: who relies on a PCR must look at its verdict.
func Verified(verdicts []Verdict) bool {
	agrees := false
	for _, v := range verdicts {
		switch v.Result {
		case Agrees:
			agrees = true
		case Differs, NotGiven:
			return false
		}
	}
	return agrees
}

func (l *Log) eventCounts(b pcr.Bank) (counts [pcr.Count]int) {
	for i := range l.Events {
		e := &l.Events[i]
		if _, ok := e.Digests[b]; ok && e.Measured() && e.PCR >= 0 && e.PCR < pcr.Count {
			counts[e.PCR]++
		}
	}
	return counts
}

func (v *Verdict) decide() {
	events := count(v.Events, "event", "events")
	reason, after := notCovered(v.PCR), []string(nil)
	if v.Log != nil && reason == "" && v.PCR == 11 {
		after = phasesAfter(v.Bank, v.Log, v.TPM)
	}
	switch {
	case reason != "":
		v.Result, v.Reason = NotCovered, reason
	case v.Log == nil:
		v.Result, v.Reason = NotCovered, fmt.Sprintf("the log has no %s digests", v.Bank)
	case v.TPM == nil && v.Events > 0:
		v.Result, v.Reason = NotGiven, "the log has "+events+", but no value was given to compare"
	case v.TPM == nil:
		v.Result = NotCovered
	case v.Log.Equal(v.TPM) && v.Events == 0:
		v.Result, v.Reason = Agrees, "nothing was measured: the PCR holds its reset value"
	case v.Log.Equal(v.TPM):
		v.Result, v.Reason = Agrees, events
	case after != nil:
		v.Result, v.After = Agrees, after
		v.Reason = fmt.Sprintf("%s, then systemd's boot phases up to %q", events, after[len(after)-1])
	case v.Events == 0 && v.PCR == 15:
		v.Result, v.Reason = NotCovered, "measured by the running system, after the log ended"
	case v.Events == 0:
		v.Result, v.Reason = Differs, "the log has no events, but the PCR does not hold its reset value"
	default:
		v.Result, v.Reason = Differs, fmt.Sprintf("the log's %s lead to another value", events)
	}
}

func notCovered(index int) string {
	switch {
	case index == 10:
		return "belongs to the kernel's integrity measurements (IMA), which have their own log"
	case index == 16 || index == 23:
		return "any program can reset this PCR, so its value proves nothing"
	case index >= 17 && index <= 22:
		return "belongs to a dynamic launch, which has its own log"
	}
	return ""
}

// phasesAfter returns the boot phases that lead from value to want in PCR 11, as
// systemd-pcrphase measures them: each word without a NUL, in this order; in the
// initrd only if that runs systemd. Nil means that none do.
func phasesAfter(b pcr.Bank, value, want pcr.Digest) []string {
	words := []string{"enter-initrd", "leave-initrd", "sysinit", "ready", "shutdown", "final"}
	for _, first := range []int{0, 2} {
		d := value
		for i := first; i < len(words); i++ {
			d = b.Sum(d, b.Sum([]byte(words[i])))
			if d.Equal(want) {
				return words[first : i+1]
			}
		}
	}
	return nil
}
