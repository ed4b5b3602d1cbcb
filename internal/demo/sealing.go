package demo

import (
	"bytes"
	"encoding/base32"
	"fmt"
	"strings"

	"github.com/bootseal/bootseal/pcr"
	"github.com/bootseal/bootseal/seal"
	"github.com/google/go-tpm/tpm2"
)

// reasons says why the key is sealed to each of its PCRs.
var reasons = map[int]string{
	4:  "the programs that ran: shim, GRUB and the kernel",
	7:  "Secure Boot: on or off, whose signatures count, and whose were used",
	8:  "what GRUB did, and the kernel's command line",
	9:  "the files that GRUB read: grub.cfg, the kernel, the initramfs",
	14: "the keys that the machine's owner added to shim",
}

// seal seals a fresh disk key to the PCRs of this boot.
func (s *Story) seal() error {
	s.say("The disk has a random volume key, which two keys open: one that the TPM keeps, and a recovery key for " +
		"people. (The disk here is a small stand-in for a LUKS2 volume.)")
	diskKey := newKey()
	defer clear(diskKey)
	if err := s.makeVolume(diskKey); err != nil {
		return err
	}
	s.say("The disk key is sealed to these PCRs, so that it comes out only when all of them have today's values:")
	for _, i := range sealedTo.PCRs.Indexes() {
		s.fact("PCR %2d: %s", i, reasons[i])
	}
	srk, _, err := seal.EnsureSRK(s.machine.tpm, nil)
	if err != nil {
		return err
	}
	s.fact("storage root key at %s, Name %s", srk.Handle, srk.Name)
	policy, err := s.policy("kernel " + s.boots.First.Kernel)
	if err != nil {
		return err
	}
	s.sealed, err = seal.Seal(s.machine.tpm, seal.Options{Secret: diskKey, Policy: policy, Parent: srk})
	if err != nil {
		return err
	}
	return s.checkSealed(srk, policy)
}

// makeVolume makes the disk, with a keyslot for the disk key and one for a
// recovery key.
func (s *Story) makeVolume(diskKey []byte) error {
	volume, volumeKey := newVolume()
	defer clear(volumeKey)
	s.volume, s.recovery = volume, newKey()
	if err := volume.addSlot("TPM", volumeKey, diskKey); err != nil {
		return err
	}
	if err := volume.addSlot("recovery key", volumeKey, s.recovery); err != nil {
		return err
	}
	s.fact("recovery key, shown once: %s", grouped(s.recovery))
	return nil
}

// policy is the policy of the boot that is running.
func (s *Story) policy(label string) (seal.Policy, error) {
	values, err := seal.ReadPCRs(s.machine.tpm, sealedTo)
	if err != nil {
		return seal.Policy{}, err
	}
	branch, err := seal.NewBranch(label, values, sealedTo)
	if err != nil {
		return seal.Policy{}, err
	}
	return seal.Policy{Bank: bank, Branches: []seal.Branch{branch}}, nil
}

// checkSealed checks that the sealed object is what the story says: its authPolicy
// is the policy's digest, its parent the storage root key.
func (s *Story) checkSealed(srk seal.Parent, policy seal.Policy) error {
	public, err := tpm2.Unmarshal[tpm2.TPMTPublic](s.sealed.Public)
	if err != nil {
		return fmt.Errorf("read the sealed object: %w", err)
	}
	digest, err := seal.Digest(policy)
	if err != nil {
		return err
	}
	s.check(bytes.Equal(public.AuthPolicy.Buffer, digest), "the sealed object opens for policy digest %s", pcr.Digest(digest))
	s.check(bytes.Equal(s.sealed.Parent.Name, srk.Name), "only this TPM can load it: its parent is the storage root key")
	s.say("It went to the TPM encrypted, in a session that only the holder of the storage root key can follow: who " +
		"listens on the bus learns nothing.")
	return nil
}

// grouped prints a key in groups that people can copy.
func grouped(key []byte) string {
	text := strings.ToLower(base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(key))
	var groups []string
	for len(text) > 4 {
		groups, text = append(groups, text[:4]), text[4:]
	}
	return strings.Join(append(groups, text), "-")
}
