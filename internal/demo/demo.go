package demo

import (
	"context"
	"fmt"

	"github.com/bootseal/bootseal/eventlog"
	"github.com/bootseal/bootseal/pcr"
	"github.com/bootseal/bootseal/seal"
)

// Story is the story with what its steps hand on to each other.
type Story struct {
	boots *Recordings
	tell  func(Line) error

	step    int
	err     error // the first line that could not be told, or the first check that failed
	machine *machine

	volume   *volume
	recovery []byte // recovery key
	sealed   *seal.Sealed
}

// bank is the PCR bank that the key is sealed to and the quote is about.
const bank = pcr.SHA256

// sealedTo are the PCRs that the key is sealed to; reasons says why each.
var sealedTo = pcr.BankSelection{Bank: bank, PCRs: pcr.Select(4, 7, 8, 9, 14)}

// Run tells the story on the recordings. It ends at the first thing that does not
// come out as told, with an error that says what.
func Run(ctx context.Context, recorded *Recordings, tell func(Line) error) error {
	m, err := newMachine()
	if err != nil {
		return err
	}
	s := &Story{boots: recorded, tell: tell, machine: m}
	for i, step := range []struct {
		title string
		run   func(*Story) error
	}{
		{"First boot: everything is measured", (*Story).firstBoot},
		{"Seal: the TPM keeps the disk key for this boot", (*Story).seal},
		{"Reboot, same software: the key comes out", (*Story).reboot},
		{"A tampered boot loader: the disk stays locked", (*Story).tamper},
		{"A kernel upgrade without reseal: locked out", (*Story).upgrade},
		{"Reseal before the reboot: the upgraded machine opens its disk", (*Story).reseal},
		{"Proof: the machine shows to others how it booted", (*Story).proof},
	} {
		if err := ctx.Err(); err != nil {
			return err
		}
		s.step = i + 1
		s.line(Step, step.title, nil)
		err := step.run(s)
		if s.err != nil {
			err = s.err // what failed first is the reason
		}
		if err != nil {
			return fmt.Errorf("step %d (%s): %w", s.step, step.title, err)
		}
	}
	return nil
}

// line tells one line.
func (s *Story) line(kind Kind, text string, data any) {
	s.send(Line{Step: s.step, Kind: kind, Text: text, Data: data})
}

func (s *Story) send(l Line) {
	if s.err == nil {
		s.err = s.tell(l)
	}
}

func (s *Story) say(format string, args ...any)  { s.line(Say, fmt.Sprintf(format, args...), nil) }
func (s *Story) fact(format string, args ...any) { s.line(Fact, fmt.Sprintf(format, args...), nil) }

// check tells whether something is as the story says, and ends the story if not.
func (s *Story) check(ok bool, format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	s.send(Line{Step: s.step, Kind: Check, Text: text, OK: &ok})
	if !ok && s.err == nil {
		s.err = fmt.Errorf("this does not hold: %s", text)
	}
}

// compare tells what differs between two boots in the PCRs that the key is sealed
// to, and returns how many differences there are.
func (s *Story) compare(expected, happened *eventlog.Log) (int, error) {
	all, err := eventlog.Compare(expected, happened)
	if err != nil {
		return 0, err
	}
	n := 0
	for _, d := range all {
		if sealedTo.PCRs.Has(d.PCR) {
			s.line(Fact, d.String(), d)
			n++
		}
	}
	return n, nil
}
