package enrollment

import (
	"errors"
	"fmt"

	"github.com/bootseal/bootseal/luks"
	"github.com/bootseal/bootseal/pcr"
	"github.com/bootseal/bootseal/seal"
)

// Key is what a token says of a passphrase that a TPM keeps for PCR values, perhaps with
// a PIN and a rollback guard: what bootseal writes, as a systemd-tpm2 token or, with a
// guard, as a bootseal-tpm2 token.
type Key struct {
	Keyslot int
	PCRs    pcr.Selection
	Bank    pcr.Bank // 0 where the token names none
	PIN     bool
	Salt    []byte
	Guard   *seal.Guard // nil without one
	Parent  seal.Parent // as the token has it: see [Parent]
	Hash    pcr.Digest  // the policy's
	Object  luks.Blob

	banks []pcr.Bank
}

// Key returns what the token says of a key of one keyslot, nil where it is another kind of
// token or its policy has something else in it.
func (t *Token) Key() *Key {
	switch s := t.Token.(type) {
	case *luks.SystemdTPM2:
		if !s.Literal() || len(s.Keyslots) != 1 {
			return nil
		}
		return &Key{Keyslot: s.Keyslots[0], PCRs: s.PCRs, Bank: s.Bank, PIN: s.PIN, Salt: s.Salt, Parent: Parent(s),
			Hash: s.Shards[0].PolicyHash, Object: s.Shards[0].Blob, banks: banks(s)}
	case *luks.BootsealTPM2:
		if len(s.Pubkey) > 0 || len(s.Keyslots) != 1 {
			return nil
		}
		k := &Key{Keyslot: s.Keyslots[0], PCRs: s.PCRs, Bank: s.Bank, PIN: s.PIN, Salt: s.Salt, Hash: s.PolicyHash(), Object: s.Object,
			Parent: seal.Parent{Handle: seal.Handle(s.Parent.Handle), Template: seal.Template(s.Parent.Template), Name: s.Parent.Name},
			banks:  []pcr.Bank{s.Bank}}
		if g := s.Guard; g != nil {
			k.Guard = &seal.Guard{Index: seal.Handle(g.Index), Name: g.Name, Value: g.Value}
		}
		return k
	}
	return nil
}

// Policy returns the key's policy for these PCR values, and whether it really has it.
// Where a guard's counter stands only the TPM can tell.
func (k *Key) Policy(values pcr.Values) (seal.Policy, bool) {
	for _, bank := range k.banks {
		p, err := LiteralPolicy("", values, pcr.BankSelection{Bank: bank, PCRs: k.PCRs}, k.PIN)
		if err != nil {
			continue
		}
		p.Guard = k.Guard
		if d, err := seal.Digest(p); err == nil && k.Hash.Equal(d) {
			return p, true
		}
	}
	return seal.Policy{}, false
}

// Sealed is [Sealed] for a key.
func (k *Key) Sealed(label string, values pcr.Values) (*seal.Sealed, error) {
	policy, ok := k.Policy(values)
	if !ok {
		return nil, ErrOtherBoot
	}
	if k.Object.Seed != nil {
		return nil, ErrImport
	}
	policy.Branches[0].Label = label
	return &seal.Sealed{Version: sealedVersion, Parent: k.Parent, Policy: policy, PINSalt: k.Salt,
		Public: k.Object.Public, Private: k.Object.Private}, nil
}

// Fits returns the numbers, ascending, of the tokens with a [Key] of a keyslot that is
// there, whose policy these PCR values satisfy: PINs and counters are not considered.
func (e *Enrollment) Fits(values pcr.Values) []int {
	var ids []int
	for i := range e.Tokens {
		k := e.Tokens[i].Key()
		if k == nil {
			continue
		}
		if _, there := e.Keyslots[k.Keyslot]; !there {
			continue
		}
		if _, ok := k.Policy(values); ok {
			ids = append(ids, e.Tokens[i].ID)
		}
	}
	return ids
}

// NewGuardedToken returns the token for a sealed object whose policy has one branch and
// a rollback guard, and a keyslot.
func NewGuardedToken(s *seal.Sealed, keyslot int) (*luks.BootsealTPM2, error) {
	g := s.Policy.Guard
	switch {
	case g == nil:
		return nil, errors.New("token of a policy without a guard")
	case len(s.Policy.Branches) != 1:
		return nil, fmt.Errorf("token of a policy with %d branches: a token is for one boot", len(s.Policy.Branches))
	}
	sel := s.Policy.Selection()
	t := &luks.BootsealTPM2{
		Keyslots: []int{keyslot},
		Object:   luks.Blob{Private: s.Private, Public: s.Public},
		PCRs:     sel.PCRs,
		Bank:     sel.Bank,
		Parent:   luks.TPM2Parent{Handle: uint32(s.Parent.Handle), Template: string(s.Parent.Template), Name: s.Parent.Name},
		Guard:    &luks.TPM2Guard{Index: uint32(g.Index), Name: g.Name, Value: g.Value},
		PIN:      s.Policy.PIN,
		Salt:     s.PINSalt,
	}
	return t, t.Check()
}
