// Package adopt opens a volume by the tokens that clevis and systemd-cryptenroll have put
// on it, so that bootseal can take it over without its passphrase and without encrypting
// it anew.
//
//	Find    the tokens of others that keep a passphrase
//	Open    has the TPM give out the passphrase, as the program that made the token would
//	Replace which tokens and keyslots go when the volume is taken over
package adopt

import (
	"bytes"
	"errors"
	"fmt"
	"slices"

	"github.com/bootseal/bootseal/luks"
	"github.com/bootseal/bootseal/node/enroll"
	"github.com/bootseal/bootseal/node/enrollment"
	"github.com/bootseal/bootseal/pcr"
	"github.com/bootseal/bootseal/seal"
	"github.com/bootseal/bootseal/seal/pcrsig"
	"github.com/google/go-tpm/tpm2/transport"
)

// Token is a token of another program.
type Token struct {
	ID       int    `json:"token"`
	By       string `json:"by"` // "systemd-cryptenroll", "clevis (tpm2)", "clevis (tang)"
	Keyslots []int  `json:"keyslots"`
	How      string `json:"how"` // what the TPM asks for: "PCRs 4,7 (sha256) and a PIN"
	// Cannot says why the TPM cannot be asked by it, "" where it can.
	Cannot string `json:"cannot,omitempty"`
	PIN    bool   `json:"pin,omitempty"` // it takes one

	token luks.Token
}

func (t *Token) String() string { return fmt.Sprintf("token %d of %s", t.ID, t.By) }

// Find returns the tokens of other programs that keep a passphrase for a keyslot which is
// there, ascending by number.
func Find(e *enrollment.Enrollment) []Token {
	own, _ := enroll.Enrolled(e)
	var out []Token
	for i := range e.Tokens {
		t := Token{ID: e.Tokens[i].ID, token: e.Tokens[i].Token}
		for _, slot := range t.token.Slots() {
			if _, ok := e.Keyslots[slot]; ok {
				t.Keyslots = append(t.Keyslots, slot)
			}
		}
		if len(t.Keyslots) == 0 || slices.ContainsFunc(t.Keyslots, func(slot int) bool { return slices.Contains(own, slot) }) {
			continue
		}
		switch old := t.token.(type) {
		case *luks.SystemdTPM2:
			t.describeSystemd(old)
		case *luks.Clevis:
			t.describeClevis(old)
		default:
			continue
		}
		out = append(out, t)
	}
	return out
}

func (t *Token) describeSystemd(old *luks.SystemdTPM2) {
	t.By, t.PIN = "systemd-cryptenroll", old.PIN
	t.How = pcrs(old.PCRs, old.Bank)
	if len(old.Pubkey) > 0 {
		t.How += fmt.Sprintf(", a signature for PCRs %s", old.PubkeyPCRs)
	}
	if old.PIN {
		t.How += " and a PIN"
	}
	switch {
	case old.PCRLock:
		t.Cannot = "its policy is systemd-pcrlock's"
	case len(old.Others) > 0:
		t.Cannot = fmt.Sprintf("its field %q is not known: a newer systemd wrote it", old.Others[0].Name)
	case len(old.Shards) != 1:
		t.Cannot = "its secret is in two parts"
	case old.Shards[0].Seed != nil:
		t.Cannot = "it was sealed outside of the TPM, and has to be imported first"
	}
}

func (t *Token) describeClevis(old *luks.Clevis) {
	t.By = fmt.Sprintf("clevis (%s)", old.Pin)
	if old.TPM2 == nil {
		t.How = "another machine or several pins"
		t.Cannot = fmt.Sprintf("its pin is %q, and only tpm2 is taken over", old.Pin)
		return
	}
	t.How = pcrs(old.TPM2.PCRs, old.TPM2.Bank)
	if _, err := seal.ClevisTemplate(old.TPM2.Key, old.TPM2.Hash); err != nil {
		t.Cannot = fmt.Sprintf("its parent key is %s with %s, to which nothing can be encrypted", old.TPM2.Key, old.TPM2.Hash)
	} else if old.TPM2.Hash != "sha256" {
		t.Cannot = fmt.Sprintf("its object's hash is %s, and only sha256 is taken over", old.TPM2.Hash)
	}
}

func pcrs(s pcr.Selection, bank pcr.Bank) string {
	switch {
	case s == 0:
		return "this TPM, at any boot"
	case bank == 0:
		return fmt.Sprintf("PCRs %s", s)
	}
	return fmt.Sprintf("PCRs %s (%s)", s, bank)
}

// ErrOtherBoot is returned where a token was made for other PCR values.
var ErrOtherBoot = errors.New("it was sealed for other PCR values than this boot's")

// Open has the TPM give out the passphrase of the token's keyslot. pin and signatures are
// needed where the token asks for them. Errors are those of [seal.Unseal], [ErrOtherBoot]
// before the TPM was asked for the secret, and what Cannot says. The caller zeroes the
// passphrase.
func (t *Token) Open(tpm transport.TPM, pin []byte, signatures ...pcrsig.File) ([]byte, error) {
	if t.Cannot != "" {
		return nil, fmt.Errorf("%s: %s", t, t.Cannot)
	}
	passphrase, err := t.open(tpm, pin, signatures)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", t, err)
	}
	return passphrase, nil
}

func (t *Token) open(tpm transport.TPM, pin []byte, signatures []pcrsig.File) ([]byte, error) {
	switch old := t.token.(type) {
	case *luks.SystemdTPM2:
		return openSystemd(tpm, old, pin, signatures)
	case *luks.Clevis:
		return openClevis(tpm, old)
	}
	return nil, errors.New("it keeps no passphrase")
}

// sealedVersion is the version of [seal.Sealed] that is filled in here.
const sealedVersion = 1

func openSystemd(tpm transport.TPM, old *luks.SystemdTPM2, pin []byte, signatures []pcrsig.File) ([]byte, error) {
	parent := enrollment.Parent(old)
	if len(parent.Name) == 0 {
		var err error
		if parent, err = seal.MakeParent(tpm, nil, parent.Template); err != nil {
			return nil, err
		}
	}
	p := seal.Policy{PIN: old.PIN}
	if len(old.Pubkey) > 0 {
		p.Signed = &seal.Signed{PublicKey: string(old.Pubkey), PCRs: old.PubkeyPCRs}
	}
	blob := old.Shards[0].Blob
	banks := []pcr.Bank{old.Bank}
	if old.Bank == 0 {
		banks = []pcr.Bank{pcr.SHA256, pcr.SHA1}
	}
	for _, bank := range banks {
		fit, ok, err := fits(tpm, p, pcr.BankSelection{Bank: bank, PCRs: old.PCRs}, old.Shards[0].PolicyHash)
		if err != nil {
			return nil, err
		}
		if !ok {
			continue
		}
		s := &seal.Sealed{Version: sealedVersion, Parent: parent, Policy: fit, PINSalt: old.Salt, Public: blob.Public, Private: blob.Private}
		secret, err := seal.Unseal(tpm, s, pin, signatures...)
		if err != nil {
			return nil, err
		}
		defer clear(secret)
		return luks.Passphrase(secret), nil
	}
	return nil, ErrOtherBoot
}

// fits returns the policy with the PCR values of now, and whether an object has it.
func fits(tpm transport.TPM, p seal.Policy, sel pcr.BankSelection, authPolicy []byte) (seal.Policy, bool, error) {
	p.Bank = sel.Bank
	p.Branches = []seal.Branch{{}}
	if sel.PCRs != 0 {
		values, err := seal.ReadPCRs(tpm, sel)
		if err != nil {
			return p, false, err
		}
		b, err := seal.NewBranch("this boot", values, sel)
		if err != nil {
			return p, false, err
		}
		p.Branches[0] = b
	}
	fit, ok := p.Fit(authPolicy)
	return fit, ok, nil
}

func openClevis(tpm transport.TPM, old *luks.Clevis) ([]byte, error) {
	template, err := seal.ClevisTemplate(old.TPM2.Key, old.TPM2.Hash)
	if err != nil {
		return nil, err
	}
	parent, err := seal.MakeParent(tpm, nil, template)
	if err != nil {
		return nil, err
	}
	bank := old.TPM2.Bank
	if old.TPM2.PCRs == 0 {
		bank = pcr.SHA256 // of no PCR
	}
	s := &seal.Sealed{Version: sealedVersion, Parent: parent, Public: old.TPM2.Object.Public, Private: old.TPM2.Object.Private}
	authPolicy, err := s.AuthPolicy()
	if err != nil {
		return nil, err
	}
	fit, ok, err := fits(tpm, seal.Policy{}, pcr.BankSelection{Bank: bank, PCRs: old.TPM2.PCRs}, authPolicy)
	if err != nil {
		return nil, err
	}
	if !ok && (old.TPM2.PCRs != 0 || len(authPolicy) > 0) {
		return nil, ErrOtherBoot
	}
	s.Policy = fit
	jwk, err := seal.Unseal(tpm, s, nil)
	if err != nil {
		return nil, err
	}
	defer clear(jwk)
	return old.JWE.Open(bytes.TrimSpace(jwk))
}

// Replace returns what goes when the tokens are replaced: themselves, and the keyslots
// that no other token is for.
func Replace(e *enrollment.Enrollment, tokens []Token) enroll.Old {
	var old enroll.Old
	for _, t := range tokens {
		old.Tokens = append(old.Tokens, t.ID)
	}
	for _, t := range tokens {
		for _, slot := range t.Keyslots {
			shared := slices.ContainsFunc(e.Tokens, func(other enrollment.Token) bool {
				return !slices.Contains(old.Tokens, other.ID) && slices.Contains(other.Token.Slots(), slot)
			})
			if !shared && !slices.Contains(old.Keyslots, slot) {
				old.Keyslots = append(old.Keyslots, slot)
			}
		}
	}
	return old
}
