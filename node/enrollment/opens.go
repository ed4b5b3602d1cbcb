package enrollment

import (
	"bytes"

	"github.com/bootseal/bootseal/luks"
	"github.com/bootseal/bootseal/pcr"
	"github.com/bootseal/bootseal/seal"
)

// Opens returns the numbers, ascending, of the systemd-tpm2 tokens that open a keyslot
// of the volume for these PCR values: those with a literal policy that the values
// satisfy. It is worked out from the policy hash, so that tokens which another
// program made count, too. A PIN is not considered.
//
// Tokens with a signed policy, or pcrlock's, are never among them.
func (e *Enrollment) Opens(values pcr.Values) []int {
	var ids []int
	for i := range e.Tokens {
		t := &e.Tokens[i]
		s := t.SystemdTPM2()
		if s == nil || len(e.existing(s.Keyslots)) == 0 {
			continue
		}
		if _, ok := Policy(s, values); ok {
			ids = append(ids, t.ID)
		}
	}
	return ids
}

// Policy returns the policy that a token's sealed object has for these PCR values,
// and whether it really has it: the policy's digest is the object's. Values of other
// PCRs than the token's do not matter.
func Policy(t *luks.SystemdTPM2, values pcr.Values) (seal.Policy, bool) {
	if !t.Literal() {
		return seal.Policy{}, false
	}
	for _, bank := range banks(t) {
		p, err := LiteralPolicy("", values, pcr.BankSelection{Bank: bank, PCRs: t.PCRs}, t.PIN)
		if err != nil {
			continue
		}
		if d, err := seal.Digest(p); err == nil && bytes.Equal(d, t.Shards[0].PolicyHash) {
			return p, true
		}
	}
	return seal.Policy{}, false
}

// GuardedPolicy is Policy for a token of bootseal's own. Where the guard's counter
// stands, and whether somebody has signed, only the TPM can tell.
func GuardedPolicy(t *luks.BootsealTPM2, values pcr.Values) (seal.Policy, bool) {
	p, err := LiteralPolicy("", values, pcr.BankSelection{Bank: t.Bank, PCRs: t.PCRs}, t.PIN)
	if err != nil {
		return seal.Policy{}, false
	}
	if len(t.Pubkey) > 0 {
		p.Signed = &seal.Signed{PublicKey: string(t.Pubkey), PCRs: t.PubkeyPCRs}
	}
	if g := t.Guard; g != nil {
		p.Guard = &seal.Guard{Index: seal.Handle(g.Index), Name: g.Name, Value: g.Value}
	}
	return p.Fit(t.PolicyHash())
}

// banks are those that a reader tries: where the token names none, SHA-256 and
// SHA-1 (systemd, src/cryptsetup/cryptsetup-tokens/cryptsetup-token-systemd-tpm2.c).
func banks(t *luks.SystemdTPM2) []pcr.Bank {
	if t.Bank != 0 {
		return []pcr.Bank{t.Bank}
	}
	return []pcr.Bank{pcr.SHA256, pcr.SHA1}
}

// LiteralPolicy returns the policy of a boot with these PCR values. It fails where a
// selected PCR has no value.
func LiteralPolicy(label string, values pcr.Values, sel pcr.BankSelection, pin bool) (seal.Policy, error) {
	b, err := seal.NewBranch(label, values, sel)
	if err != nil {
		return seal.Policy{}, err
	}
	return seal.Policy{Bank: sel.Bank, Branches: []seal.Branch{b}, PIN: pin}, nil
}
