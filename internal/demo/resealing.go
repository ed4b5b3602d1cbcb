package demo

import (
	"fmt"
	"slices"

	"github.com/bootseal/bootseal/bootchain"
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
		"the new files do not touch stays as it was measured; what they change is computed:")
	prediction, err := predict.Next(predict.Input{Machine: bootchain.Machine{Log: s.boots.Second.Log,
		Booted: &s.boots.Second.Manifest, Files: s.boots.Upgraded.Manifest, PCRs: s.boots.Second.PCRs}})
	if err != nil {
		return nil, err
	}
	path := &prediction.Paths[0]
	for _, e := range path.Events {
		if e.Confidence == bootchain.Computed && s.isNew(&e) {
			s.line(Event, fmt.Sprintf("PCR %2d  %s (%s)", e.PCR, e.Description, e.Reason), e)
		}
	}
	for _, d := range path.Doubts {
		if sealedTo.PCRs.Has(d.PCR) {
			s.check(false, "PCR %d can be predicted: %s", d.PCR, d.Reason)
		}
	}
	s.check(true, "each of the PCRs %s can be predicted", sealedTo.PCRs)
	return path, nil
}

// isNew reports whether a predicted event is not one of the boot that runs.
func (s *Story) isNew(e *predict.Event) bool {
	if e.Baseline < 0 {
		return true
	}
	before := s.boots.Second.Log.Events[e.Baseline].Digests
	return !before[bank].Equal(e.Digests[bank])
}

// comparePrediction compares what was predicted with what the machine had, in all
// banks.
func (s *Story) comparePrediction(path *predict.Path) error {
	misses, err := path.Misses(s.boots.Upgraded.PCRs)
	if err != nil {
		return err
	}
	for _, m := range misses {
		s.fact("%s", m)
	}
	for _, b := range pcr.Banks() {
		wrong := slices.ContainsFunc(misses, func(m predict.Miss) bool { return m.Bank == b })
		predicted := path.PCRs.Selection(b)
		s.check(!wrong && predicted.Union(sealedTo.PCRs) == predicted,
			"%s: the prediction equals what the real machine had, PCRs %s", b, predicted)
	}
	return nil
}
