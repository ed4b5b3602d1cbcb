package seal

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/bootseal/bootseal/pcr"
	"github.com/google/go-tpm/tpm2"
	"github.com/google/go-tpm/tpm2/transport"
)

// PCRLock is a policy of systemd-pcrlock: PCRs with the values that each may have, whose
// policy digest stands in an NV index, TPM2_PolicyAuthorizeNV. It is only read, to take a
// volume over: see docs/seal.md.
type PCRLock struct {
	Index  Handle
	Name   Name // of the NV index, written
	Bank   pcr.Bank
	Values map[int][]pcr.Digest // at most eight for a PCR
}

// maxPCRLock bounds a pcrlock.json, in bytes.
const maxPCRLock = 1 << 20

// ParsePCRLock reads systemd-pcrlock's file, pcrlock.json (systemd-pcrlock(8); systemd,
// src/shared/tpm2-util.c).
func ParsePCRLock(text []byte) (*PCRLock, error) {
	if len(text) > maxPCRLock {
		return nil, fmt.Errorf("pcrlock policy: %d bytes: want at most %d", len(text), maxPCRLock)
	}
	var file struct {
		Bank   string `json:"pcrBank"`
		Values []struct {
			PCR    int          `json:"pcr"`
			Values []pcr.Digest `json:"values"`
		} `json:"pcrValues"`
		Index  uint32 `json:"nvIndex"`
		Public []byte `json:"nvPublic"`
	}
	if err := json.Unmarshal(text, &file); err != nil {
		return nil, fmt.Errorf("pcrlock policy: %w", err)
	}
	bank, err := pcr.ParseBank(file.Bank)
	if err != nil {
		return nil, fmt.Errorf("pcrlock policy: %w", err)
	}
	p := &PCRLock{Index: Handle(file.Index), Bank: bank, Values: make(map[int][]pcr.Digest)}
	for _, v := range file.Values {
		if _, twice := p.Values[v.PCR]; twice {
			return nil, fmt.Errorf("pcrlock policy: PCR %d comes twice", v.PCR)
		}
		p.Values[v.PCR] = v.Values
	}
	if p.Name, err = writtenName(file.Public, p.Index); err != nil {
		return nil, fmt.Errorf("pcrlock policy: field \"nvPublic\": %w", err)
	}
	return p, p.check()
}

// writtenName returns the Name of an NV index after it was written, from a TPM2B_NV_PUBLIC.
func writtenName(text []byte, index Handle) (Name, error) {
	sized, err := tpm2.Unmarshal[tpm2.TPM2BNVPublic](text)
	if err != nil {
		return nil, err
	}
	public, err := sized.Contents()
	if err != nil {
		return nil, err
	}
	if public.NVIndex != tpm2.TPMHandle(index) {
		return nil, fmt.Errorf("it is of index 0x%08x: want %s", uint32(public.NVIndex), index)
	}
	public.Attributes.Written = true
	name, err := tpm2.NVName(public)
	if err != nil {
		return nil, err
	}
	return name.Buffer, nil
}

func (p *PCRLock) check() error {
	if !p.Bank.Available() {
		return fmt.Errorf("pcrlock policy: bank %s is not supported", p.Bank)
	}
	for i, values := range p.Values {
		if len(values) == 0 || len(values) > orWidth {
			return fmt.Errorf("pcrlock policy: PCR %d has %d values: want 1 to %d", i, len(values), orWidth)
		}
		for _, v := range values {
			if err := (pcr.Values{p.Bank: {i: v}}).Check(); err != nil {
				return fmt.Errorf("pcrlock policy: %w", err)
			}
		}
	}
	return nil
}

// policies are the policy's branches step by step: first the PCRs with one value, all at
// once, then each of the others for itself, in ascending order.
func (p *PCRLock) policies() []Policy {
	single := Branch{PCRs: make(map[int]pcr.Digest)}
	var steps []Policy
	for _, i := range slices.Sorted(maps.Keys(p.Values)) {
		values := p.Values[i]
		if len(values) == 1 {
			single.PCRs[i] = values[0]
			continue
		}
		step := Policy{Bank: p.Bank}
		for _, v := range values {
			step.Branches = append(step.Branches, Branch{PCRs: map[int]pcr.Digest{i: v}})
		}
		steps = append(steps, step)
	}
	if len(single.PCRs) > 0 {
		steps = slices.Insert(steps, 0, Policy{Bank: p.Bank, Branches: []Branch{single}})
	}
	return steps
}

// satisfy runs the policy's commands in a session, with the PCRs as they are.
func (p *PCRLock) satisfy(tpm transport.TPM, session tpm2.TPMHandle) error {
	if err := p.check(); err != nil {
		return err
	}
	sel := pcr.BankSelection{Bank: p.Bank}
	for i := range p.Values {
		sel.PCRs = sel.PCRs.With(i)
	}
	values, err := ReadPCRs(tpm, sel)
	if err != nil {
		return err
	}
	start := make([]byte, pcr.SHA256.Size())
	for _, step := range p.policies() {
		branch, err := step.Match(values)
		if err != nil {
			return err
		}
		if start, err = step.satisfyFrom(tpm, session, start, branch); err != nil {
			return err
		}
	}
	return p.authorize(tpm, session, start)
}

// satisfyFrom satisfies one of the branches in a session that has a digest already, and
// returns the digest that follows.
func (p Policy) satisfyFrom(tpm transport.TPM, session tpm2.TPMHandle, start []byte, branch int) ([]byte, error) {
	group := make([][]byte, len(p.Branches))
	for n, b := range p.Branches {
		var err error
		if group[n], err = p.branchDigest(start, b); err != nil {
			return nil, err
		}
	}
	if err := p.satisfyPCRs(tpm, session, p.Branches[branch]); err != nil {
		return nil, err
	}
	if len(group) > 1 {
		if err := policyOr(tpm, session, group); err != nil {
			return nil, err
		}
	}
	return orDigest(group), nil
}

// authorize has the NV index vouch for the session's digest. systemd lets the owner
// read it.
func (p *PCRLock) authorize(tpm transport.TPM, session tpm2.TPMHandle, digest []byte) error {
	c := Counter{Index: p.Index}
	_, name, err := c.readPublic(tpm)
	if errors.Is(err, tpm2.TPMRCHandle) || err == nil && !bytes.Equal(name, p.Name) {
		return fmt.Errorf("the NV index %s of the pcrlock policy is gone, or is another one", p.Index)
	}
	if err != nil {
		return fmt.Errorf("read the public area of the NV index %s: %w", p.Index, err)
	}
	_, err = tpm2.PolicyAuthorizeNV{
		AuthHandle:    tpm2.AuthHandle{Handle: tpm2.TPMRHOwner, Auth: tpm2.PasswordAuth(nil)},
		NVIndex:       tpm2.NamedHandle{Handle: tpm2.TPMHandle(p.Index), Name: tpm2.TPM2BName{Buffer: name}},
		PolicySession: session,
	}.Execute(tpm)
	if errors.Is(err, tpm2.TPMRCValue) {
		return fmt.Errorf("the NV index %s does not hold the policy %x of pcrlock.json: one of them is older", p.Index, digest)
	}
	if err != nil {
		return explain("use the policy in the NV index", explainOwner(err))
	}
	return nil
}
