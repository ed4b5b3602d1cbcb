package reseal

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/bootseal/bootseal/luks"
	"github.com/bootseal/bootseal/node/enrollment"
	"github.com/bootseal/bootseal/node/plan"
	"github.com/bootseal/bootseal/pcr"
	"github.com/bootseal/bootseal/seal"
)

// sealed is a token that is to be written.
type sealed struct {
	boot plan.Boot
	hash pcr.Digest
	text json.RawMessage
}

// check computes what the token's policy must be from the predicted values alone.
func (s *sealed) check(g *seal.Guard) error {
	t, err := luks.ParseToken(0, s.text)
	if err != nil {
		return err
	}
	k := (&enrollment.Token{Token: t}).Key()
	if k == nil {
		return errors.New("the new token is none that is known again")
	}
	policy := s.boot.Policy(k.PIN)
	policy.Guard = g
	want, err := seal.Digest(policy)
	if err == nil && !k.Hash.Equal(want) {
		err = errors.New("the sealed object does not open for the predicted PCR values")
	}
	return err
}

// sealAll seals the secret for each boot that is to be added, and checks the outcome in
// software; package seal checks it on the TPM.
func (r *run) sealAll(ctx context.Context, secret []byte, newKey bool) error {
	if len(r.Plan.Add) == 0 {
		return nil
	}
	if r.volume.PIN {
		if err := r.needPIN(ctx); err != nil {
			return err
		}
	}
	if err := r.defineGuard(); err != nil {
		return err
	}
	parent, err := r.parent(newKey)
	if err != nil {
		return err
	}
	r.Result.Parent = parent.Name
	done := map[string]sealed{}
	const rounds = 3
	for round := 1; ; round++ {
		largest := 0
		r.texts = nil
		for i, b := range r.Plan.Add {
			key := b.Label + b.Events.String()
			t, ok := done[key]
			if !ok {
				r.doing(fmt.Sprintf("sealing for boot %d of %d", i+1, len(r.Plan.Add)))
				if t, err = r.sealOne(b, parent, secret); err != nil {
					return fmt.Errorf("%s: %w", b.Label, err)
				}
				if err := t.check(r.volume.Guard); err != nil {
					return fmt.Errorf("%s: %w", b.Label, err)
				}
				done[key] = t
			}
			largest = max(largest, len(t.text))
			r.texts = append(r.texts, t)
		}
		if largest == r.volume.TokenSize || largest == 0 || round == rounds {
			return nil
		}
		// Now that the size is known there may be room for one more, or for one less.
		r.volume.TokenSize = largest
		if err := r.plan(); err != nil {
			return err
		}
	}
}

// parent returns the key to seal under. It is the one that the machine is known to have,
// unless somebody who can open the volume has it sealed anew.
func (r *run) parent(newKey bool) (seal.Parent, error) {
	release := r.release()
	p, err := enrollment.ParentFor(r.TPM, release, r.OwnerAuth)
	if err != nil || newKey || len(r.Request.Parent) == 0 || bytes.Equal(p.Name, r.Request.Parent) {
		return p, err
	}
	for _, t := range r.ownTokens() {
		if (t.Parent.Template != "") == (release < luks.Systemd255) { // not for another systemd than so far
			p.Public = nil
			return p, &seal.ParentError{Parent: seal.Parent{Handle: p.Handle, Template: p.Template, Name: r.Request.Parent}, Have: p.Name}
		}
	}
	return p, nil
}

// release is that of the systemd which reads the tokens.
func (r *run) release() int {
	if r.Release != 0 {
		return r.Release
	}
	own := r.ownTokens()
	switch {
	case len(own) == 0 && r.Installed != 0:
		return r.Installed
	case slices.ContainsFunc(own, func(k *enrollment.Key) bool { return k.Parent.Template != "" }):
		return luks.Systemd252
	}
	return luks.Systemd255
}

func (r *run) sealOne(b plan.Boot, parent seal.Parent, secret []byte) (sealed, error) {
	release := r.release()
	policy := b.Policy(r.volume.PIN)
	policy.Guard = r.volume.Guard
	o := seal.Options{Secret: secret, Policy: policy, Parent: parent, OwnerAuth: r.OwnerAuth}
	if r.volume.PIN {
		o.PIN, o.UnsaltedPIN = r.pin, enrollment.UnsaltedPIN(release)
	}
	s, err := seal.Seal(r.TPM, o)
	if err != nil {
		return sealed{}, err
	}
	if policy.Guard != nil {
		token, err := enrollment.NewGuardedToken(s, r.volume.Keyslot)
		if err != nil {
			return sealed{}, err
		}
		text, err := token.MarshalJSON()
		return sealed{b, token.PolicyHash(), text}, err
	}
	token, err := enrollment.NewToken(s, r.volume.Keyslot)
	if err != nil {
		return sealed{}, err
	}
	text, err := token.For(release)
	return sealed{b, token.Shards[0].PolicyHash, text}, err
}
