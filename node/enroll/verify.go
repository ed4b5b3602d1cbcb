package enroll

import (
	"bytes"
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"slices"

	"github.com/bootseal/bootseal/luks"
	"github.com/bootseal/bootseal/node/enrollment"
	"github.com/bootseal/bootseal/pcr"
	"github.com/bootseal/bootseal/seal"
)

// verify reads the volume again: every token must be there as it was made, and for the
// boot that it says; and where one is for the PCRs as they are, the TPM must give out
// the secret by what stands in the header, and that must open the keyslot.
func (a *Added) verify(ctx context.Context, req *Request, t *texts) error {
	h, err := a.machine.Volume.Header()
	if err != nil {
		return err
	}
	e := enrollment.Inspect(h)
	for i, id := range a.Tokens {
		token := e.Token(id)
		if token == nil || !bytes.Equal(h.Metadata.Tokens[id], t.boots[i]) {
			return fmt.Errorf("verify: token %d is not what was written", id)
		}
		if token.Expect == nil || token.Expect.Label != a.Boots[i].Label {
			return fmt.Errorf("verify: the values that were expected of %s do not lead to the policy of token %d", a.Boots[i].Label, id)
		}
	}
	for i, id := range a.Signed {
		if !bytes.Equal(h.Metadata.Tokens[id], t.signed[i]) {
			return fmt.Errorf("verify: token %d is not what was written", id)
		}
	}
	values, err := a.values()
	if err != nil {
		return fmt.Errorf("verify: %w", err)
	}
	for _, id := range e.Fits(values) {
		if slices.Contains(a.Tokens, id) {
			return a.open(ctx, e.Token(id), values, req.PIN)
		}
	}
	return nil
}

// values are the PCRs of all boots as they are.
func (a *Added) values() (pcr.Values, error) {
	selected := make(map[pcr.Bank]pcr.Selection)
	for _, b := range a.Boots {
		selected[b.Bank] = selected[b.Bank].Union(b.Policy(false).Selection().PCRs)
	}
	return readAll(a.machine, selected)
}

func readAll(m *Machine, selected map[pcr.Bank]pcr.Selection) (pcr.Values, error) {
	out := make(pcr.Values)
	for bank, s := range selected {
		if s == 0 {
			continue
		}
		v, err := seal.ReadPCRs(m.TPM, pcr.BankSelection{Bank: bank, PCRs: s})
		if err != nil {
			return nil, err
		}
		out[bank] = v[bank]
	}
	return out, nil
}

// open has the TPM give out the secret by a token, and tries it on the keyslot.
func (a *Added) open(ctx context.Context, t *enrollment.Token, values pcr.Values, pin []byte) error {
	s, err := t.Key().Sealed("", values)
	if err != nil {
		return fmt.Errorf("verify token %d: %w", t.ID, err)
	}
	s.Parent = a.Parent // with its Name, which not every token has
	got, err := seal.Unseal(a.machine.TPM, s, pin)
	if err != nil {
		return fmt.Errorf("verify token %d: %w", t.ID, err)
	}
	defer clear(got)
	if subtle.ConstantTimeCompare(got, a.secret) != 1 {
		return fmt.Errorf("verify token %d: %w", t.ID, errors.New("the TPM gives out another secret"))
	}
	passphrase := luks.Passphrase(got)
	defer clear(passphrase)
	if err := a.machine.Volume.Test(ctx, passphrase, a.Keyslot); err != nil {
		return fmt.Errorf("verify token %d: %w", t.ID, err)
	}
	a.Opened = t.ID
	return nil
}

// ErrClosed is returned where no token of bootseal's is for the PCRs as they are.
var ErrClosed = errors.New("no token of bootseal's is for the PCRs as they are")

// OpenNow has the TPM give out the passphrase of bootseal's keyslot by a token for the
// running boot, and tries it. It fails with [ErrClosed], [seal.ErrPINRequired], and as
// [seal.Unseal]. The caller zeroes the passphrase.
func OpenNow(ctx context.Context, m *Machine, h *luks.Header, pin []byte) ([]byte, error) {
	e := enrollment.Inspect(h)
	own, _ := Enrolled(e)
	values, err := currentValues(m, e)
	if err != nil {
		return nil, err
	}
	for _, id := range e.Fits(values) {
		t := e.Token(id)
		if !isFor(t.Token, own) {
			continue
		}
		s, err := t.Key().Sealed("the running boot", values)
		if err != nil {
			return nil, fmt.Errorf("token %d: %w", id, err)
		}
		if len(s.Parent.Name) == 0 {
			if s.Parent, err = seal.MakeParent(m.TPM, nil, s.Parent.Template); err != nil {
				return nil, err
			}
		}
		secret, err := seal.Unseal(m.TPM, s, pin)
		if err != nil {
			return nil, fmt.Errorf("token %d: %w", id, err)
		}
		passphrase := luks.Passphrase(secret)
		clear(secret)
		if err := m.Volume.Test(ctx, passphrase, t.Token.Slots()[0]); err != nil {
			clear(passphrase)
			return nil, fmt.Errorf("token %d: %w", id, err)
		}
		return passphrase, nil
	}
	return nil, ErrClosed
}

// currentValues are the PCRs that any token looks at.
func currentValues(m *Machine, e *enrollment.Enrollment) (pcr.Values, error) {
	selected := make(map[pcr.Bank]pcr.Selection)
	for i := range e.Tokens {
		if k := e.Tokens[i].Key(); k != nil && k.Bank != 0 {
			selected[k.Bank] = selected[k.Bank].Union(k.PCRs)
		}
	}
	return readAll(m, selected)
}
