package bootchain

import (
	"errors"
	"fmt"

	"github.com/bootseal/bootseal/pcr"
)

// Profiles returns how many profiles a unified kernel image has, at least one: without a
// section .profile it is the image itself (UAPI.5, "Multi-Profile UKIs").
func (p *Program) Profiles() int { return max(len(p.profiles()), 1) }

// UnifiedPCR returns the value of PCR 11 after systemd-stub has measured one of the
// profiles of a unified kernel image, and systemd-pcrphase the words ("enter-initrd"). It
// is what systemd-measure calculates. It fails for other programs, and where the manifest
// has no digests of the bank.
func (p *Program) UnifiedPCR(bank pcr.Bank, profile int, words ...string) (pcr.Digest, error) {
	if _, ok := p.section(".linux"); !ok {
		return nil, errors.New("it is no unified kernel image: it has no section .linux")
	}
	if profile < 0 || profile >= p.Profiles() {
		return nil, fmt.Errorf("it has no profile %d: it has %d", profile, p.Profiles())
	}
	value := pcr.Reset(bank, 11, 0)
	var err error
	extend := func(digest pcr.Digest) {
		if err == nil {
			value, err = pcr.Extend(bank, value, digest)
		}
	}
	for _, s := range p.stubMeasures(profile) {
		contents, ok := s.Digests[bank]
		if !ok {
			return nil, fmt.Errorf("the digest of section %s in bank %s is not known", s.Name, bank)
		}
		extend(bank.Sum([]byte(s.Name + "\x00")))
		extend(contents)
	}
	for _, word := range words {
		extend(bank.Sum([]byte(word)))
	}
	return value, err
}

// stubMeasures are the sections that the image's systemd-stub measures, in its order.
func (p *Program) stubMeasures(profile int) []Section {
	var list []Section
	sections, version := p.profile(profile), stubVersion(p)
	for _, s := range unifiedSections() {
		if section, ok := sections[s.name]; ok && section.Size > 0 && version.atLeast(s.since) {
			list = append(list, section)
		}
	}
	return list
}
