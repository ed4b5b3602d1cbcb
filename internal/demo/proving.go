package demo

import (
	"errors"

	"github.com/bootseal/bootseal/attest"
	"github.com/bootseal/bootseal/attest/verify"
	"github.com/bootseal/bootseal/pcr"
)

// proof makes a quote and verifies it as somebody else would.
func (s *Story) proof() (err error) {
	s.say("The machine runs the new kernel. Somebody else, a cluster for example, wants to know that. It sends a " +
		"random number, and the TPM signs it together with the PCRs, with a key that never leaves it.")
	if err := s.machine.boot(s.boots.Upgraded.Log); err != nil {
		return err
	}
	ak, err := attest.CreateAK(s.machine.tpm)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, ak.Close(s.machine.tpm)) }()
	nonce := newKey()
	evidence, err := attest.Quote(s.machine.tpm, ak, nonce, sealedTo)
	if err != nil {
		return err
	}
	s.fact("attestation key, Name %s", pcr.Digest(ak.Name))
	expect := verify.Expect{AKName: ak.Name, Nonce: nonce, PCRs: sealedTo}
	verified, err := verify.Quote(evidence, expect)
	s.check(err == nil, "the signature, the random number and the list of PCRs are right")
	if err != nil {
		return err
	}
	s.checkProof(verified)
	s.checkRefusals(evidence, expect)
	return nil
}

// checkProof compares what the quote proves with the recording.
func (s *Story) checkProof(v *verify.Verified) {
	real := s.boots.Upgraded.PCRs
	for _, i := range v.PCRs.Selection(bank).Indexes() {
		have, _ := v.PCRs.Get(bank, i)
		want, _ := real.Get(bank, i)
		s.check(have.Equal(want), "PCR %d is proven to be %s: kernel %s", i, have, s.boots.Upgraded.Kernel)
	}
}

// checkRefusals shows that a verifier who asked for something else is not content.
func (s *Story) checkRefusals(evidence *attest.Evidence, expect verify.Expect) {
	fewer := expect
	fewer.PCRs.PCRs = expect.PCRs.PCRs.Without(pcr.Select(4))
	_, err := verify.Quote(evidence, fewer)
	s.check(errors.Is(err, verify.ErrSelection), "a quote about other PCRs than were asked for is refused: %v", err)
	replayed := expect
	replayed.Nonce = newKey()
	_, err = verify.Quote(evidence, replayed)
	s.check(errors.Is(err, verify.ErrNonce), "a quote that was made for another random number is refused: %v", err)
}
