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

type sealed struct {
	boot plan.Boot
	hash pcr.Digest
	text json.RawMessage
}

func (r *run) sealAll(ctx context.Context, secret []byte, newKey bool) error {
	if len(r.Plan.Add) == 0 {
		return nil
	}
	if r.volume.PIN {
		if err := r.needPIN(ctx); err != nil {
			return err
		}
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

func (r *run) parent(newKey bool) (seal.Parent, error) {
	release := r.release()
	p, err := enrollment.ParentFor(r.TPM, release, r.OwnerAuth)
	if err != nil || newKey || len(r.Request.Parent) == 0 || bytes.Equal(p.Name, r.Request.Parent) {
		return p, err
	}
	for _, t := range r.ownTokens() {
		if (t.SRK == nil) == (release < luks.Systemd255) { // not for another systemd than so far
			p.Public = nil
			return p, &seal.ParentError{Parent: seal.Parent{Handle: p.Handle, Template: p.Template, Name: r.Request.Parent}, Have: p.Name}
		}
	}
	return p, nil
}

func (r *run) release() int {
	if r.Release != 0 {
		return r.Release
	}
	own := r.ownTokens()
	switch {
	case len(own) == 0 && r.Installed != 0:
		return r.Installed
	case slices.ContainsFunc(own, func(t *luks.SystemdTPM2) bool { return t.SRK == nil }):
		return luks.Systemd252
	}
	return luks.Systemd255
}

func (r *run) sealOne(b plan.Boot, parent seal.Parent, secret []byte) (sealed, error) {
	release := r.release()
	o := seal.Options{Secret: secret, Policy: b.Policy(r.volume.PIN), Parent: parent, OwnerAuth: r.OwnerAuth}
	if r.volume.PIN {
		o.PIN, o.UnsaltedPIN = r.pin, enrollment.UnsaltedPIN(release)
	}
	s, err := seal.Seal(r.TPM, o)
	if err != nil {
		return sealed{}, err
	}
	token, err := enrollment.NewToken(s, r.volume.Keyslot)
	if err != nil {
		return sealed{}, err
	}
	if _, opens := enrollment.Policy(token, b.Values()); !opens {
		return sealed{}, errors.New("the sealed object does not open for the predicted PCR values")
	}
	text, err := token.For(release)
	return sealed{b, token.Shards[0].PolicyHash, text}, err
}
