package status

import (
	"slices"

	"github.com/bootseal/bootseal/node/enrollment"
	"github.com/bootseal/bootseal/pcr"
	"github.com/bootseal/bootseal/seal"
	"github.com/bootseal/bootseal/seal/pcrsig"
)

// key is a token that a TPM keeps the passphrase of.
type key struct {
	*enrollment.Token
	*enrollment.Key
}

// keys are the volume's, ascending by token. Those of a keyslot that is gone open nothing,
// and are none.
func (v *Volume) keys() []key {
	if v.Enrollment == nil {
		return nil
	}
	var out []key
	for i := range v.Enrollment.Tokens {
		t := &v.Enrollment.Tokens[i]
		if k := t.AnyKey(); k != nil && v.Enrollment.HasKeyslot(t) {
			out = append(out, key{t, k})
		}
	}
	return out
}

// protected reports whether dictionary attack protection guards the key: its own PIN, or
// a parent that is not exempt from it.
func (k *key) protected() bool { return k.PIN || k.Parent.Template != "" }

// fits reports whether the policy is the one that these PCR values lead to, signatures
// and counters aside.
func (k *key) fits(values pcr.Values) bool {
	_, ok := k.Policy(values)
	return ok
}

// approved reports whether the owner of the key of a signed policy has signed for these
// PCR values, all of which must be there.
func (k *key) approved(values pcr.Values, signatures []pcrsig.File) bool {
	if k.Signed == nil {
		return true
	}
	public, err := pcrsig.ParseKey(k.Signed.PublicKey)
	if err != nil {
		return false
	}
	for _, bank := range k.Banks {
		policy, err := seal.PCRPolicy(values, pcr.BankSelection{Bank: bank, PCRs: k.Signed.PCRs})
		if err != nil {
			continue
		}
		for _, file := range signatures {
			if slices.ContainsFunc(file.Find(bank, k.Signed.PCRs, public.Fingerprint(), policy), func(s pcrsig.Signature) bool { return public.Verify(&s) == nil }) {
				return true
			}
		}
	}
	return false
}

// needs are the PCRs of the first bank that the key looks at.
func (k *key) needs() pcr.Selection {
	if k.Signed == nil {
		return k.PCRs
	}
	return k.PCRs.Union(k.Signed.PCRs)
}
