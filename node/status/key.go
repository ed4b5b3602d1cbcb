package status

import (
	"slices"

	"github.com/bootseal/bootseal/luks"
	"github.com/bootseal/bootseal/node/enrollment"
	"github.com/bootseal/bootseal/pcr"
	"github.com/bootseal/bootseal/seal"
	"github.com/bootseal/bootseal/seal/pcrsig"
)

// key is a token that a TPM keeps the passphrase of, of whichever type it is.
type key struct {
	*enrollment.Token
	// banks come into question, the likeliest first: a token of systemd may name none.
	banks  []pcr.Bank
	pcrs   pcr.Selection // whose values the policy has
	pin    bool
	signed *seal.Signed // nil without a signed policy
	guard  *seal.Guard  // nil without a rollback guard
	hash   pcr.Digest   // of the policy
	parent seal.Parent
	object luks.Blob
	// opaque says that the policy is pcrlock's, or one that only a newer systemd knows.
	opaque bool
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
		if !slices.ContainsFunc(t.Token.Slots(), func(slot int) bool { _, ok := v.Enrollment.Keyslots[slot]; return ok }) {
			continue
		}
		switch s := t.Token.(type) {
		case *luks.SystemdTPM2:
			out = append(out, systemdKey(t, s))
		case *luks.BootsealTPM2:
			out = append(out, bootsealKey(t, s))
		}
	}
	return out
}

func systemdKey(t *enrollment.Token, s *luks.SystemdTPM2) key {
	k := key{Token: t, banks: []pcr.Bank{s.Bank}, pcrs: s.PCRs, pin: s.PIN, signed: signedBy(s.Pubkey, s.PubkeyPCRs),
		hash: s.Shards[0].PolicyHash, parent: enrollment.Parent(s), object: s.Shards[0].Blob,
		opaque: len(s.Shards) > 1 || s.PCRLock || len(s.Others) > 0}
	if s.Bank == 0 {
		k.banks = []pcr.Bank{pcr.SHA256, pcr.SHA1}
	}
	return k
}

func bootsealKey(t *enrollment.Token, s *luks.BootsealTPM2) key {
	k := key{Token: t, banks: []pcr.Bank{s.Bank}, pcrs: s.PCRs, pin: s.PIN, signed: signedBy(s.Pubkey, s.PubkeyPCRs), hash: s.PolicyHash(),
		object: s.Object, parent: seal.Parent{Handle: seal.Handle(s.Parent.Handle), Template: seal.Template(s.Parent.Template), Name: s.Parent.Name}}
	if g := s.Guard; g != nil {
		k.guard = &seal.Guard{Index: seal.Handle(g.Index), Name: g.Name, Value: g.Value}
	}
	return k
}

func signedBy(pem []byte, pcrs pcr.Selection) *seal.Signed {
	if len(pem) == 0 {
		return nil
	}
	return &seal.Signed{PublicKey: string(pem), PCRs: pcrs}
}

// protected reports whether dictionary attack protection guards the key: its own PIN, or
// a parent that is not exempt from it.
func (k *key) protected() bool { return k.pin || k.parent.Template != "" }

// fits reports whether the policy is the one that these PCR values lead to, signatures
// and counters aside.
func (k *key) fits(values pcr.Values) bool {
	for _, bank := range k.banks {
		p, err := enrollment.LiteralPolicy("", values, pcr.BankSelection{Bank: bank, PCRs: k.pcrs}, k.pin)
		if err != nil {
			continue
		}
		p.Signed, p.Guard = k.signed, k.guard
		if _, ok := p.Fit(k.hash); ok {
			return true
		}
	}
	return false
}

// approved reports whether the owner of the key of a signed policy has signed for these
// PCR values, all of which must be there.
func (k *key) approved(values pcr.Values, signatures []pcrsig.File) bool {
	if k.signed == nil {
		return true
	}
	public, err := pcrsig.ParseKey(k.signed.PublicKey)
	if err != nil {
		return false
	}
	for _, bank := range k.banks {
		policy, err := seal.PCRPolicy(values, pcr.BankSelection{Bank: bank, PCRs: k.signed.PCRs})
		if err != nil {
			continue
		}
		for _, file := range signatures {
			if slices.ContainsFunc(file.Find(bank, k.signed.PCRs, public.Fingerprint(), policy), func(s pcrsig.Signature) bool { return public.Verify(&s) == nil }) {
				return true
			}
		}
	}
	return false
}

// needs are the PCRs of the first bank that the key looks at.
func (k *key) needs() pcr.Selection {
	if k.signed == nil {
		return k.pcrs
	}
	return k.pcrs.Union(k.signed.PCRs)
}
