package demo

import (
	"fmt"

	"github.com/bootseal/bootseal/pcr"
	"github.com/bootseal/bootseal/predict"
	"github.com/bootseal/bootseal/seal"
)

// reseal predicts the upgraded boot while the old kernel runs, seals the key to
// both, and reboots.
func (s *Story) reseal() error {
	running, upgraded := s.boots.Second, s.boots.Upgraded
	s.say("Once more, in the right order. The old kernel %s runs; the new one lies on the disk, but has not booted yet.", running.Kernel)
	if err := s.machine.boot(running.Log); err != nil {
		return err
	}
	path, err := s.predict()
	if err != nil {
		return err
	}
	next, err := seal.NewBranch("kernel "+upgraded.Kernel, path.PCRs, sealedTo)
	if err != nil {
		return err
	}
	if s.sealed, err = seal.Reseal(s.machine.tpm, s.sealed, nil, s.sealed.Policy.With(next)); err != nil {
		return err
	}
	s.check(len(s.sealed.Policy.Branches) == 2, "the key is sealed to the old boot or the new one")
	s.say("Reboot into the new kernel: the third recording again.")
	if err := s.machine.boot(upgraded.Log); err != nil {
		return err
	}
	if err := s.opens(); err != nil {
		return err
	}
	if err := s.comparePrediction(path); err != nil {
		return err
	}
	s.say("And if the new kernel does not work, the old one still opens the disk:")
	if err := s.machine.boot(running.Log); err != nil {
		return err
	}
	return s.opens()
}

// predict predicts the PCRs of the boot of the new kernel.
func (s *Story) predict() (*predict.Path, error) {
	s.say("Its PCRs can be computed: from the log of the boot that runs, and from the files that will be booted. What " +
		"the new files do not touch stays as it was measured; what they touch is computed.")
	running, upgraded := s.boots.Second, s.boots.Upgraded
	prediction, err := predict.Next(running.Log, running.Files, upgraded.Files)
	if err != nil {
		return nil, err
	}
	path := prediction.Paths[0]
	s.check(len(path.Unknown) == 0, "every PCR of the coming boot can be predicted")
	for _, e := range path.Events {
		if e.Confidence == predict.Computed {
			s.line(Event, fmt.Sprintf("PCR %2d  %s: %s", e.PCR, e.Text, e.Reason), e)
		}
	}
	return path, nil
}

// comparePrediction compares what was predicted with what the machine had, in all
// banks.
func (s *Story) comparePrediction(path *predict.Path) error {
	real := s.boots.Upgraded.PCRs
	for _, b := range pcr.Banks() {
		wrong, n := 0, 0
		for _, i := range path.PCRs.Selection(b).Indexes() {
			want, _ := path.PCRs.Get(b, i)
			got, ok := real.Get(b, i)
			if !ok {
				continue
			}
			n++
			if !got.Equal(want) {
				wrong++
				s.fact("%s PCR %d: predicted %s, was %s", b, i, want, got)
			}
		}
		s.check(n > 0 && wrong == 0, "%s: the prediction of %d PCRs equals what the real machine had", b, n)
	}
	return nil
}
