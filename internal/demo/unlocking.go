package demo

import (
	"errors"

	"github.com/bootseal/bootseal/eventlog"
	"github.com/bootseal/bootseal/seal"
	"github.com/google/go-tpm/tpm2"
)

// reboot boots the same software again.
func (s *Story) reboot() error {
	s.say("The machine is switched off and on. The TPM's PCRs start from nothing, and the same programs are measured " +
		"again: the second recording.")
	if err := s.machine.boot(s.boots.Second.Log); err != nil {
		return err
	}
	return s.opens()
}

// tamper boots with one bit of GRUB's measurement changed.
func (s *Story) tamper() error {
	s.say("Somebody changed the boot loader on the disk. One changed bit makes another digest; here one bit of the " +
		"digest itself is flipped in each bank.")
	tampered, index := flipGRUB(s.boots.Second.Log)
	s.check(index >= 0, "the log has a measurement of GRUB's binary")
	if index < 0 {
		return nil
	}
	if err := s.machine.boot(tampered); err != nil {
		return err
	}
	if err := s.staysLocked(); err != nil {
		return err
	}
	n, err := s.compare(s.boots.Second.Log, tampered)
	s.check(n == 1, "exactly one event differs from the boot that the key was sealed for")
	return err
}

// flipGRUB returns a log with one bit of the measurement of GRUB's binary flipped,
// and the event's index, -1 if there is none.
func flipGRUB(log *eventlog.Log) (*eventlog.Log, int) {
	tampered := log.Clone()
	for i, x := range eventlog.Explain(log) {
		if x.Loads != eventlog.GRUB {
			continue
		}
		for _, digest := range tampered.Events[i].Digests {
			digest[0] ^= 1
		}
		return tampered, i
	}
	return tampered, -1
}

// upgrade boots the new kernel, which the key was not sealed for.
func (s *Story) upgrade() error {
	s.say("The kernel is upgraded from %s to %s, and the machine reboots. Nobody told the TPM. This is the third "+
		"recording.", s.boots.First.Kernel, s.boots.Upgraded.Kernel)
	if err := s.machine.boot(s.boots.Upgraded.Log); err != nil {
		return err
	}
	if err := s.staysLocked(); err != nil {
		return err
	}
	n, err := s.compare(s.boots.Second.Log, s.boots.Upgraded.Log)
	if err != nil {
		return err
	}
	s.check(n > 0, "the log says what differs: %d events", n)
	s.say("To the TPM an upgrade looks like an attack. The recovery key gets the machine back:")
	slot, err := s.volume.open(s.recovery)
	s.check(err == nil, "the recovery key opens the disk (keyslot %q)", slot)
	return err
}

// opens checks that the key comes out and opens the disk.
func (s *Story) opens() error {
	key, err := seal.Unseal(s.machine.tpm, s.sealed, nil)
	if err != nil {
		return err
	}
	defer clear(key)
	s.check(true, "the TPM gives out the disk key")
	slot, err := s.volume.open(key)
	s.check(err == nil, "it opens the disk (keyslot %q)", slot)
	return err
}

// staysLocked checks that the key does not come out, tells which PCRs differ, and
// asks the TPM itself, past the software that looked at the PCRs first.
func (s *Story) staysLocked() error {
	key, err := seal.Unseal(s.machine.tpm, s.sealed, nil)
	clear(key)
	var mismatch *seal.MismatchError
	s.check(errors.As(err, &mismatch), "the disk key does not come out")
	if mismatch == nil {
		return err
	}
	for _, b := range mismatch.Branches {
		for _, d := range b.Differences {
			s.fact("%s PCR %d is %s, the key wants %s", d.Bank, d.PCR, d.Have, d.Want)
		}
	}
	return s.tpmRefuses()
}

// tpmRefuses shows that it is the TPM that refuses: a session with the sealed
// policy cannot be brought to the object's policy digest.
func (s *Story) tpmRefuses() (err error) {
	session, closer, err := tpm2.PolicySession(s.machine.tpm, tpm2.TPMAlgSHA256, 16)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closer()) }()
	refusal := seal.Satisfy(s.machine.tpm, session.Handle(), s.sealed.Policy, 0)
	var refused *seal.PolicyError
	if !errors.As(refusal, &refused) {
		return refusal
	}
	s.check(errors.Is(refusal, tpm2.TPMRCValue), "asked for the key past that check, the TPM refuses: %v", refused.Err)
	return nil
}
