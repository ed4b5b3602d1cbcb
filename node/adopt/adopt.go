// Package adopt opens a volume by the tokens that clevis and systemd-cryptenroll have put
// on it, so that bootseal can take it over without its passphrase and without encrypting
// it anew.
//
//	Find    the tokens of others that keep a passphrase
//	Open    has the TPM give out the passphrase, as the program that made the token would
//	Replace which tokens and keyslots go when the volume is taken over
package adopt

import (
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
	if old.PCRLock {
		t.How += ", a policy of systemd-pcrlock"
	}
	if old.PIN {
		t.How += " and a PIN"
	}
	if len(old.Others) > 0 {
		t.Cannot = fmt.Sprintf("its field %q is not known: a newer systemd wrote it", old.Others[0].Name)
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

// Keys are what tokens may ask for besides the right boot.
type Keys struct {
	PIN        []byte
	Signatures []pcrsig.File
	PCRLock    *seal.PCRLock // the policy of systemd-pcrlock, nil without
}

// Open has the TPM give out the passphrase of the token's keyslot. Errors are those of
// [seal.OpenForeign], and what Cannot says. The caller zeroes the passphrase.
func (t *Token) Open(tpm transport.TPM, k Keys) ([]byte, error) {
	if t.Cannot != "" {
		return nil, fmt.Errorf("%s: %s", t, t.Cannot)
	}
	open := openSystemd
	if _, ok := t.token.(*luks.Clevis); ok {
		open = openClevis
	}
	passphrase, err := open(tpm, t.token, k)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", t, err)
	}
	return passphrase, nil
}

func openSystemd(tpm transport.TPM, token luks.Token, k Keys) ([]byte, error) {
	old := token.(*luks.SystemdTPM2)
	f := seal.Foreign{Parent: enrollment.Parent(old), Bank: old.Bank, PCRs: old.PCRs, PIN: old.PIN, PINSalt: old.Salt}
	for _, s := range old.Shards {
		f.Objects = append(f.Objects, object(s.Blob))
	}
	if len(old.Pubkey) > 0 {
		f.Signed = &seal.Signed{PublicKey: string(old.Pubkey), PCRs: old.PubkeyPCRs}
	}
	if old.PCRLock {
		if f.PCRLock = k.PCRLock; f.PCRLock == nil {
			return nil, errors.New("its policy is systemd-pcrlock's, and its file is not there")
		}
	}
	banks := []pcr.Bank{old.Bank}
	if old.Bank == 0 { // a reader tries both
		banks = []pcr.Bank{pcr.SHA256, pcr.SHA1}
	}
	var first error
	for _, f.Bank = range banks {
		secret, err := seal.OpenForeign(tpm, f, k.PIN, k.Signatures...)
		if err == nil {
			defer clear(secret)
			return luks.Passphrase(secret), nil
		}
		if first == nil {
			first = err
		}
	}
	return nil, first
}

func object(b luks.Blob) seal.Object {
	return seal.Object{Public: b.Public, Private: b.Private, Seed: b.Seed}
}

func openClevis(tpm transport.TPM, token luks.Token, _ Keys) ([]byte, error) {
	old := token.(*luks.Clevis)
	template, err := seal.ClevisTemplate(old.TPM2.Key, old.TPM2.Hash)
	if err != nil {
		return nil, err
	}
	jwk, err := seal.OpenForeign(tpm, seal.Foreign{
		Parent: seal.Parent{Template: template}, Bank: old.TPM2.Bank, PCRs: old.TPM2.PCRs, Objects: []seal.Object{object(old.TPM2.Object)},
	}, nil)
	if err != nil {
		return nil, err
	}
	defer clear(jwk)
	return old.JWE.Open(jwk)
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
