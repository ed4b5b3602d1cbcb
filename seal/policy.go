package seal

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/bootseal/bootseal/pcr"
	"github.com/google/go-tpm/tpm2"
	"github.com/google/go-tpm/tpm2/transport"
)

// MaxBranches is the largest number of branches in a policy: two levels of
// TPM2_PolicyOR.
const MaxBranches = orWidth * orWidth

// orWidth is the largest number of digests in one TPM2_PolicyOR (Part 3,
// "TPM2_PolicyOR": at most eight).
const orWidth = 8

// Policy says under which conditions a secret is given out: a key's owner has signed
// the values of some of the machine's PCRs, if a key is named; its PCRs are those of one
// of the branches; a counter has not moved on, if there is a guard; and the PIN is right
// if there is one. It is plain data and no secret.
type Policy struct {
	Bank     pcr.Bank `json:"bank"`
	Signed   *Signed  `json:"signed,omitempty"`
	Branches []Branch `json:"branches"`
	Guard    *Guard   `json:"guard,omitempty"`
	// PIN demands the object's authValue with TPM2_PolicyAuthValue.
	PIN bool `json:"pin,omitempty"`
}

// Branch is one boot that opens the secret: the values of the PCRs that matter.
// A branch without PCRs is every boot. It must be a policy's only branch, because
// it would make all others pointless.
type Branch struct {
	Label string             `json:"label,omitempty"` // for people: "kernel 6.1.0-54"
	PCRs  map[int]pcr.Digest `json:"pcrs"`
}

// NewBranch returns a branch of the selected PCRs of one bank with copies of
// their values. Every selected PCR must have one.
func NewBranch(label string, values pcr.Values, sel pcr.BankSelection) (Branch, error) {
	b := Branch{Label: label, PCRs: make(map[int]pcr.Digest)}
	for _, i := range sel.PCRs.Indexes() {
		v, ok := values.Get(sel.Bank, i)
		if !ok {
			return Branch{}, fmt.Errorf("policy branch %q: no value for %s PCR %d", label, sel.Bank, i)
		}
		b.PCRs[i] = bytes.Clone(v)
	}
	return b, nil
}

// Selection returns the PCRs of the branch.
func (b Branch) Selection() pcr.Selection {
	var s pcr.Selection
	for i := range b.PCRs {
		if i >= 0 && i < pcr.Count {
			s = s.With(i)
		}
	}
	return s
}

// same reports whether both branches stand for the same boot.
func (b Branch) same(c Branch) bool {
	return maps.EqualFunc(b.PCRs, c.PCRs, func(x, y pcr.Digest) bool { return x.Equal(y) })
}

// With returns the policy with branches added at its end, those left out that
// it has already. The receiver is not changed.
func (p Policy) With(branches ...Branch) Policy {
	p.Branches = slices.Clone(p.Branches)
	for _, b := range branches {
		if !slices.ContainsFunc(p.Branches, b.same) {
			p.Branches = append(p.Branches, b)
		}
	}
	return p
}

// Selection returns the PCRs that any branch looks at.
func (p Policy) Selection() pcr.BankSelection {
	sel := pcr.BankSelection{Bank: p.Bank}
	for _, b := range p.Branches {
		sel.PCRs = sel.PCRs.Union(b.Selection())
	}
	return sel
}

// Check reports why the policy cannot be used.
func (p Policy) Check() error {
	switch {
	case len(p.Branches) == 0:
		return errors.New("policy: no branch: nothing could ever open the secret")
	case len(p.Branches) > MaxBranches:
		return fmt.Errorf("policy: %d branches: at most %d", len(p.Branches), MaxBranches)
	case !p.Bank.Available():
		return fmt.Errorf("policy: bank %s is not supported", p.Bank)
	}
	if p.Signed != nil {
		if err := p.Signed.check(); err != nil {
			return fmt.Errorf("policy: %w", err)
		}
	}
	if p.Guard != nil {
		if err := p.Guard.check(); err != nil {
			return fmt.Errorf("policy: %w", err)
		}
	}
	for n, b := range p.Branches {
		if err := (pcr.Values{p.Bank: b.PCRs}).Check(); err != nil {
			return fmt.Errorf("policy: branch %d: %w", n+1, err)
		}
		if len(b.PCRs) == 0 && len(p.Branches) > 1 {
			return fmt.Errorf("policy: branch %d of %d has no PCRs: every boot would open the secret", n+1, len(p.Branches))
		}
	}
	return nil
}

// Digest returns the authPolicy of objects under the policy, 32 bytes, computed
// without a TPM. The order is systemd's: TPM2_PolicyAuthorize with a key, TPM2_PolicyPCR,
// then TPM2_PolicyOR where there are several branches, then TPM2_PolicyNV with a guard
// (which systemd does not know), then TPM2_PolicyAuthValue with a PIN. More than eight
// branches make a tree: each group of eight is a TPM2_PolicyOR, and so are the groups'
// digests; a group of one is passed on as it is.
func Digest(p Policy) ([]byte, error) {
	if err := p.Check(); err != nil {
		return nil, err
	}
	levels, err := p.levels()
	if err != nil {
		return nil, err
	}
	d := levels[len(levels)-1][0]
	if p.Guard != nil {
		d = p.Guard.digest(d)
	}
	if p.PIN {
		d = extendPolicy(d, tpm2.TPMCCPolicyAuthValue)
	}
	return d, nil
}

// levels returns the tree of branches, from the branches' digests to the root.
func (p Policy) levels() ([][][]byte, error) {
	start := make([]byte, sha256.Size) // a fresh session's
	if p.Signed != nil {
		var err error
		if start, err = p.Signed.digest(); err != nil {
			return nil, fmt.Errorf("policy: %w", err)
		}
	}
	leaves := make([][]byte, len(p.Branches))
	for n, b := range p.Branches {
		d, err := p.branchDigest(start, b)
		if err != nil {
			return nil, fmt.Errorf("policy: branch %d: %w", n+1, err)
		}
		leaves[n] = d
	}
	levels := [][][]byte{leaves}
	for top := leaves; len(top) > 1; levels = append(levels, top) {
		var next [][]byte
		for group := range slices.Chunk(top, orWidth) {
			next = append(next, orDigest(group))
		}
		top = next
	}
	return levels, nil
}

// branchDigest is a session's digest after TPM2_PolicyPCR.
func (p Policy) branchDigest(start []byte, b Branch) ([]byte, error) {
	if len(b.PCRs) == 0 {
		return start, nil
	}
	sel := pcr.BankSelection{Bank: p.Bank, PCRs: b.Selection()}
	composite, err := p.composite(b, sel)
	if err != nil {
		return nil, err
	}
	return extendPolicy(start, tpm2.TPMCCPolicyPCR, tpm2.Marshal(selectionList(sel)), composite), nil
}

// composite is the pcrDigest parameter of TPM2_PolicyPCR.
func (p Policy) composite(b Branch, sel pcr.BankSelection) (pcr.Digest, error) {
	return pcr.Composite(pcr.SHA256, pcr.Values{p.Bank: b.PCRs}, sel)
}

// orDigest is the policyDigest after TPM2_PolicyOR: it replaces what the session
// had with the hash of all alternatives.
func orDigest(group [][]byte) []byte {
	if len(group) == 1 {
		return group[0]
	}
	return extendPolicy(make([]byte, sha256.Size), tpm2.TPMCCPolicyOR, group...)
}

// extendPolicy is the way every policy command changes policyDigest (Part 1,
// "Policy Digest Initialization" and the sections after it):
// H(old || commandCode || arguments).
func extendPolicy(old []byte, cc tpm2.TPMCC, args ...[]byte) []byte {
	h := sha256.New()
	h.Write(old)
	h.Write(be32(uint32(cc)))
	for _, a := range args {
		h.Write(a)
	}
	return h.Sum(nil)
}

// Satisfy runs the policy's commands for one branch in a policy or trial session.
// The TPM compares the PCRs with the branch's values at once, except in a trial
// session. Signed policies can be satisfied so in trial sessions only.
func Satisfy(tpm transport.TPM, session tpm2.TPMHandle, p Policy, branch int) error {
	return p.satisfy(tpm, session, branch, nil)
}

func (p Policy) satisfy(tpm transport.TPM, session tpm2.TPMHandle, branch int, a *approval) error {
	if err := p.Check(); err != nil {
		return err
	}
	if branch < 0 || branch >= len(p.Branches) {
		return fmt.Errorf("policy: no branch %d of %d", branch+1, len(p.Branches))
	}
	levels, err := p.levels()
	if err != nil {
		return err
	}
	if p.Signed != nil {
		if err := p.Signed.satisfy(tpm, session, p.Bank, a); err != nil {
			return err
		}
	}
	if err := p.satisfyPCRs(tpm, session, p.Branches[branch]); err != nil {
		return err
	}
	at := branch
	for _, level := range levels[:len(levels)-1] {
		first := at / orWidth * orWidth
		group := level[first:min(first+orWidth, len(level))]
		at /= orWidth
		if len(group) == 1 {
			continue
		}
		if err := policyOr(tpm, session, group); err != nil {
			return err
		}
	}
	if p.Guard != nil {
		if err := p.Guard.satisfy(tpm, session); err != nil {
			return err
		}
	}
	if p.PIN {
		if _, err := (tpm2.PolicyAuthValue{PolicySession: session}).Execute(tpm); err != nil {
			return explain("ask for the PIN", err)
		}
	}
	return nil
}

func policyOr(tpm transport.TPM, session tpm2.TPMHandle, group [][]byte) error {
	or := tpm2.PolicyOr{PolicySession: session}
	for _, d := range group {
		or.PHashList.Digests = append(or.PHashList.Digests, tpm2.TPM2BDigest{Buffer: d})
	}
	if _, err := or.Execute(tpm); err != nil {
		return explain("satisfy the policy's alternatives", err)
	}
	return nil
}

func (p Policy) satisfyPCRs(tpm transport.TPM, session tpm2.TPMHandle, b Branch) error {
	if len(b.PCRs) == 0 {
		return nil
	}
	sel := pcr.BankSelection{Bank: p.Bank, PCRs: b.Selection()}
	composite, err := p.composite(b, sel)
	if err != nil {
		return err
	}
	_, err = tpm2.PolicyPCR{
		PolicySession: session,
		PcrDigest:     tpm2.TPM2BDigest{Buffer: composite},
		Pcrs:          selectionList(sel),
	}.Execute(tpm)
	if errors.Is(err, tpm2.TPMRCValue) {
		// Part 3, "TPM2_PolicyPCR": the given digest is not that of the PCRs.
		return fmt.Errorf("satisfy PCRs %s: %w", sel, &PolicyError{Err: err})
	}
	if err != nil {
		return explain(fmt.Sprintf("satisfy PCRs %s", sel), err)
	}
	return nil
}

// Match returns the first branch whose values are the given ones, or a
// [*MismatchError]. Values of PCRs that no branch looks at do not matter; a PCR
// without a value differs.
func (p Policy) Match(values pcr.Values) (branch int, err error) {
	mismatch := &MismatchError{}
	for n, b := range p.Branches {
		m := BranchMismatch{Branch: n, Label: b.Label}
		for _, i := range slices.Sorted(maps.Keys(b.PCRs)) {
			want := b.PCRs[i]
			have, _ := values.Get(p.Bank, i)
			if !have.Equal(want) {
				m.Differences = append(m.Differences, PCRDifference{Bank: p.Bank, PCR: i, Have: have, Want: want})
			}
		}
		if len(m.Differences) == 0 {
			return n, nil
		}
		mismatch.Branches = append(mismatch.Branches, m)
	}
	return 0, mismatch
}
