package demo

import (
	"fmt"

	"github.com/bootseal/bootseal/eventlog"
	"github.com/bootseal/bootseal/pcr"
)

// firstBoot measures the first recorded boot into the vTPM and compares the PCRs
// with those of the machine.
func (s *Story) firstBoot() error {
	first := s.boots.First
	s.say("This is the recording of a real machine, %s. Each program that ran measured the next one before it "+
		"started it: it told the TPM a digest of it. The TPM keeps no list. It has registers, PCRs, and extends one "+
		"with each digest: new value = hash(old value, digest). So a PCR cannot be set, and depends on every "+
		"digest in order. What was measured stands in an event log beside it.", s.boots.Description)
	if err := s.machine.boot(first.Log); err != nil {
		return err
	}
	s.events(first.Log)
	verdicts, err := eventlog.Verify(first.Log, first.PCRs)
	if err != nil {
		return err
	}
	have, err := s.machine.pcrs()
	if err != nil {
		return err
	}
	s.say("The vTPM went through the same measurements. Its PCRs must now be those that the machine's TPM had.")
	for _, b := range pcr.Banks() {
		s.comparePCRs(b, have, verdicts)
	}
	return nil
}

// events tells each measurement, program by program.
func (s *Story) events(log *eventlog.Log) {
	var running eventlog.Stage
	for _, x := range eventlog.Explain(log) {
		if x.Check.Status == eventlog.NotMeasured {
			continue
		}
		if x.Stage != running {
			running = x.Stage
			s.fact("%s runs, and measures:", running.Title())
		}
		s.line(Event, fmt.Sprintf("PCR %2d  %s", x.PCR, x.Text), x)
		if x.Check.Status == eventlog.Mismatch {
			s.check(false, "event %d has the digest that its data explains", x.Index)
		}
	}
}

// comparePCRs compares the vTPM's PCRs of one bank with the recorded ones, as far
// as the log speaks of them.
func (s *Story) comparePCRs(b pcr.Bank, have pcr.Values, verdicts []eventlog.Verdict) {
	n := 0
	for _, v := range verdicts {
		if v.Bank != b || v.Result == eventlog.NotCovered {
			continue
		}
		n++
		got, _ := have.Get(b, v.PCR)
		if !got.Equal(v.TPM) {
			s.check(false, "%s PCR %d is %s, as the machine reported (the vTPM has %s)", b, v.PCR, v.TPM, got)
		}
		if b == bank && v.Events > 0 {
			s.fact("%s PCR %2d = %s", b, v.PCR, got)
		}
	}
	s.check(n > 0, "%s: the %d PCRs that the log speaks of equal the machine's", b, n)
}
