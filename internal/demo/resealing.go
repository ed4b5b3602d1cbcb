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
