package reseal

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/bootseal/bootseal/luks"
	"github.com/bootseal/bootseal/node/enrollment"
	"github.com/bootseal/bootseal/node/plan"
)

// applyTokens changes the tokens: room, additions, drops, expectations.
func (r *run) applyTokens(ctx context.Context) error {
	if r.header.Stale != nil {
		err := r.effect("repair the header", func() error { _, err := r.Volume.Dump(ctx); return err })
		if err != nil {
			return err
		}
	}
	if err := r.drop(ctx, r.Plan.Room); err != nil {
		return err
	}
	ids, err := r.add(ctx)
	if err != nil {
		return err
	}
	mayDrop, err := r.advance()
	if err != nil {
		return err
	}
	if mayDrop {
		if err := r.drop(ctx, r.Plan.Drop); err != nil {
			return err
		}
	}
	// Last, so that a token which is to be dropped keeps its name until it is: a retired
	// boot is known by it.
	if r.Plan.Expect {
		return r.expect(ctx, ids)
	}
	return nil
}

// add adds the tokens and reads them back.
func (r *run) add(ctx context.Context) (ids []int, err error) {
	for i, t := range r.texts {
		r.doing(fmt.Sprintf("writing token %d of %d", i+1, len(r.texts)))
		err := r.effect(fmt.Sprintf("add token %d", i+1), func() error {
			r.Changed = true
			id, err := r.Volume.ImportToken(ctx, t.text)
			ids = append(ids, id)
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	return ids, r.verify(ids)
}

// verify reads the header again: each new token must open for its boot, and whatever
// opened for the running boot must still do so.
func (r *run) verify(ids []int) error {
	h, err := r.Volume.Header()
	if err != nil {
		return err
	}
	e := enrollment.Inspect(h)
	for i, id := range ids {
		t := e.Token(id)
		if t == nil || !slices.Contains(e.Fits(r.texts[i].boot.Values()), id) {
			return fmt.Errorf("token %d, which was just written for %s, does not open for it", id, r.texts[i].boot.Label)
		}
		r.Added = append(r.Added, Added{id, r.texts[i].boot.Label})
	}
	for _, k := range r.Plan.Keep {
		was, is := r.volume.Token(k.Token), e.Token(k.Token)
		if is == nil || !sameToken(was, is) {
			return fmt.Errorf("token %d has changed meanwhile: another program works on the volume", k.Token)
		}
	}
	r.header = h
	return nil
}

func sameToken(a, b *enrollment.Token) bool {
	x, errX := a.Token.MarshalJSON()
	y, errY := b.Token.MarshalJSON()
	return errX == nil && errY == nil && bytes.Equal(x, y)
}

// expect writes the bootseal token, in the place of the one that is there, even if that
// cannot be read.
func (r *run) expect(ctx context.Context, ids []int) error {
	text, err := r.Plan.Expectations(r.volume.Enrollment, r.volume.Keyslot, ids).MarshalJSON()
	if err != nil {
		return err
	}
	old := -1
	if b := r.volume.Boot(); b != nil {
		old = b.ID
	} else if id, ok := damagedBoot(r.volume.Problems); ok {
		old = id
	}
	return r.effect("write expectations", func() error {
		r.Changed = true
		if old >= 0 {
			return r.Volume.ReplaceToken(ctx, old, text)
		}
		_, err := r.Volume.ImportToken(ctx, text)
		return err
	})
}

func damagedBoot(problems []error) (id int, ok bool) {
	for _, p := range problems {
		if t := (*luks.TokenError)(nil); errors.As(p, &t) && t.Type == (*luks.Boot)(nil).Type() {
			return t.ID, true
		}
	}
	return 0, false
}

// drop drops tokens, each only while it is the one that was meant. One that is gone is
// dropped already.
func (r *run) drop(ctx context.Context, drops []plan.Drop) error {
	for _, d := range drops {
		h, err := r.Volume.Header()
		if err != nil {
			return err
		}
		e := enrollment.Inspect(h)
		t := e.Token(d.Token)
		if t == nil || t.Key() == nil || !t.Key().Hash.Equal(d.Hash) {
			continue
		}
		if err := r.mayDrop(e, d); err != nil {
			return err
		}
		r.doing("dropping the token of " + d.Label)
		err = r.effect(fmt.Sprintf("drop token %d", d.Token), func() error {
			r.Changed = true
			return r.Volume.RemoveToken(ctx, d.Token)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// mayDrop is a second look at what the plan says, just before it is done: the running
// boot's last token stays, unless it is retired by force.
func (r *run) mayDrop(e *enrollment.Enrollment, d plan.Drop) error {
	if r.Force && r.Retire != "" {
		return nil
	}
	for _, values := range r.volume.Running {
		opens := slices.DeleteFunc(e.Fits(values), func(id int) bool { return !r.volume.Usable(e.Token(id).Key()) })
		if len(opens) == 1 && opens[0] == d.Token {
			return fmt.Errorf("drop token %d: it is the one that opens for the running boot", d.Token)
		}
	}
	return nil
}
