package status

import (
	"github.com/bootseal/bootseal/node/enrollment"
	"github.com/bootseal/bootseal/pcr"
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

// needs are the PCRs of the first bank that the key looks at.
func (k *key) needs() pcr.Selection {
	if k.Signed == nil {
		return k.PCRs
	}
	return k.PCRs.Union(k.Signed.PCRs)
}
