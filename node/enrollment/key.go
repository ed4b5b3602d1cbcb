package enrollment

import (
	"errors"
	"fmt"

	"github.com/bootseal/bootseal/luks"
	"github.com/bootseal/bootseal/pcr"
	"github.com/bootseal/bootseal/seal"
)

// Key is what a token says of a passphrase that a TPM keeps, of whichever type the token
// is.
type Key struct {
	Keyslot int           // -1 where the token is not for just one
	PCRs    pcr.Selection // those whose values the policy has
	Bank    pcr.Bank      // 0 where the token names none
	// Banks come into question, the likeliest first: Bank, or those that systemd tries.
	Banks  []pcr.Bank
	PIN    bool
	Salt   []byte
	Signed *seal.Signed // nil without a signed policy
	Guard  *seal.Guard  // nil without a rollback guard
	Parent seal.Parent  // as the token has it: see [Parent]
	Hash   pcr.Digest   // the policy's
	Object luks.Blob
	// Opaque is whether the policy has more in it than is here: it is pcrlock's, of two
	// parts, or one that only a newer systemd knows.
	Opaque bool
}

// AnyKey returns what the token says of a key, nil if it is of another kind.
func (t *Token) AnyKey() *Key {
	switch s := t.Token.(type) {
	case *luks.SystemdTPM2:
		return &Key{Keyslot: only(s.Keyslots), PCRs: s.PCRs, Bank: s.Bank, Banks: banks(s), PIN: s.PIN, Salt: s.Salt,
			Signed: signed(s.Pubkey, s.PubkeyPCRs), Parent: Parent(s), Hash: s.Shards[0].PolicyHash, Object: s.Shards[0].Blob,
			Opaque: len(s.Shards) > 1 || s.PCRLock || len(s.Others) > 0}
	case *luks.BootsealTPM2:
		k := &Key{Keyslot: only(s.Keyslots), PCRs: s.PCRs, Bank: s.Bank, Banks: []pcr.Bank{s.Bank}, PIN: s.PIN, Salt: s.Salt,
			Signed: signed(s.Pubkey, s.PubkeyPCRs), Hash: s.PolicyHash(), Object: s.Object,
			Parent: seal.Parent{Handle: seal.Handle(s.Parent.Handle), Template: seal.Template(s.Parent.Template), Name: s.Parent.Name}}
		if g := s.Guard; g != nil {
			k.Guard = &seal.Guard{Index: seal.Handle(g.Index), Name: g.Name, Value: g.Value}
		}
		return k
	}
	return nil
}

// Key is [Token.AnyKey] for what bootseal writes and seals again: a key of one keyslot for
// PCR values, perhaps with a PIN and a rollback guard. nil where it is another kind of
// token or its policy has something else in it.
func (t *Token) Key() *Key {
	if s := t.SystemdTPM2(); s != nil && !s.Literal() {
		return nil
	}
	k := t.AnyKey()
	if k == nil || k.Keyslot < 0 || k.Signed != nil {
		return nil
	}
	return k
}

func only(slots []int) int {
	if len(slots) != 1 {
		return -1
	}
	return slots[0]
}

func signed(key []byte, pcrs pcr.Selection) *seal.Signed {
	if len(key) == 0 {
		return nil
	}
	return &seal.Signed{PublicKey: string(key), PCRs: pcrs}
}

// banks are those that a reader tries: where the token names none, SHA-256 and
// SHA-1 (systemd, src/cryptsetup/cryptsetup-tokens/cryptsetup-token-systemd-tpm2.c).
func banks(t *luks.SystemdTPM2) []pcr.Bank {
	if t.Bank != 0 {
		return []pcr.Bank{t.Bank}
	}
	return []pcr.Bank{pcr.SHA256, pcr.SHA1}
}

// Policy returns the key's policy for these PCR values, and whether it really has it: the
// policy's digest is the object's. Values of other PCRs do not matter. Whether somebody
// has signed for them, and where a guard's counter stands, only the TPM can tell.
func (k *Key) Policy(values pcr.Values) (seal.Policy, bool) {
	for _, bank := range k.Banks {
		p, err := LiteralPolicy("", values, pcr.BankSelection{Bank: bank, PCRs: k.PCRs}, k.PIN)
		if err != nil {
			continue
		}
		p.Signed, p.Guard = k.Signed, k.Guard
		if p, ok := p.Fit(k.Hash); ok {
			return p, true
		}
	}
	return seal.Policy{}, false
}

// Sealed returns the sealed object as [seal.Unseal] opens it, where values are those that
// it was sealed for; what it unseals to is for [luks.Passphrase]. It fails with
// [ErrOtherBoot] or [ErrImport].
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

// LiteralPolicy returns the policy of a boot with these PCR values. It fails where a
// selected PCR has no value.
func LiteralPolicy(label string, values pcr.Values, sel pcr.BankSelection, pin bool) (seal.Policy, error) {
	b, err := seal.NewBranch(label, values, sel)
	if err != nil {
		return seal.Policy{}, err
	}
	return seal.Policy{Bank: sel.Bank, Branches: []seal.Branch{b}, PIN: pin}, nil
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
