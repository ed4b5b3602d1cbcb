package reseal

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"time"

	"github.com/bootseal/bootseal/internal/atomicfile"
	"github.com/bootseal/bootseal/luks"
	"github.com/bootseal/bootseal/luks/cryptsetup"
	"github.com/bootseal/bootseal/node/enrollment"
	"github.com/bootseal/bootseal/node/plan"
	"github.com/bootseal/bootseal/node/state"
	"github.com/bootseal/bootseal/pcr"
	"github.com/bootseal/bootseal/seal"
)

// sealed is a token that is to be written.
type sealed struct {
	boot plan.Boot
	hash pcr.Digest
	text json.RawMessage
}

// change carries the plan out.
func (r *run) change(ctx context.Context) error {
	defer func() { clear(r.pin) }()
	secret, existing, err := r.secretFor(ctx)
	if err != nil {
		return err
	}
	defer clear(secret)
	defer clear(existing)
	if err := r.sealAll(ctx, secret, existing != nil); err != nil {
		return err
	}
	if err := r.begin(ctx); err != nil {
		return err
	}
	if err := r.addKeyslot(ctx, secret, existing); err != nil {
		return err
	}
	if err := r.applyTokens(ctx); err != nil {
		return err
	}
	if secret != nil {
		if err := r.keep(secret); err != nil {
			r.warn("%v", err)
		}
	}
	if err := r.killFormer(ctx, secret, existing); err != nil {
		return err
	}
	return r.end()
}

// secretFor returns the secret of the current keyslot, where one is needed. Where it
// cannot be had, a passphrase that opens the volume is asked for, and a new secret made,
// in a keyslot that takes the current one's place: existing is the passphrase then.
func (r *run) secretFor(ctx context.Context) (secret, existing []byte, err error) {
	if len(r.Plan.Add) == 0 && len(r.volume.Former) == 0 {
		return nil, nil, nil
	}
	r.doing("asking the TPM for the secret")
	secret, reasons, err := r.findSecret(ctx)
	if err != nil || secret != nil {
		return secret, nil, err
	}
	if len(r.Plan.Add) == 0 { // only keyslots to destroy, another time
		return nil, nil, nil
	}
	if r.Request.Passphrase == nil {
		return nil, nil, errors.Join(append([]error{ErrNoSecret}, reasons...)...)
	}
	slot, err := r.header.Metadata.FreeKeyslot()
	if err != nil {
		return nil, nil, err
	}
	former := append([]int{r.volume.Keyslot}, r.volume.Former...)
	if existing, err = r.Request.Passphrase(ctx, former...); err != nil {
		return nil, nil, errors.Join(append([]error{err}, reasons...)...)
	}
	secret = make([]byte, 32)
	rand.Read(secret) // never fails (Go 1.24)
	r.volume.Keyslot, r.volume.Former, r.Source = slot, former, "a new key"
	// The header does not have the keyslot yet: to the plan it is as if it had.
	return secret, existing, r.plan()
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

// parent returns the key to seal under. It is the one that the machine is known to have,
// unless somebody who can open the volume has it sealed anew.
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

// release is that of the systemd which reads the tokens.
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

// begin brings the journal and the backup to disk.
func (r *run) begin(ctx context.Context) error {
	r.doing("writing the journal")
	dir, err := state.Make(r.State, r.UUID)
	if err != nil {
		return err
	}
	backup := filepath.Join(dir, backupName)
	// One that is there was made before the journal of a run that was cut off, and is
	// older than what is on the disk now.
	if err := atomicfile.Remove(backup); err != nil {
		return err
	}
	if err := r.effect("back up the header", func() error { return r.Volume.BackupHeader(ctx, backup) }); err != nil {
		return err
	}
	j := &Journal{Version: recordVersion, UUID: r.UUID, Device: r.Device, Doing: r.what(), Began: time.Now().UTC(),
		SeqID: r.header.SeqID, Keyslot: r.volume.Keyslot, Former: r.volume.Former}
	for _, d := range r.Plan.Room {
		j.Steps = append(j.Steps, Step{Do: "drop", Token: d.Token, Keyslot: -1, Label: d.Label, Hash: d.Hash})
	}
	for _, t := range r.texts {
		j.Steps = append(j.Steps, Step{Do: "add", Token: -1, Keyslot: -1, Label: t.boot.Label, Hash: t.hash, Text: t.text})
	}
	for _, d := range r.Plan.Drop {
		j.Steps = append(j.Steps, Step{Do: "drop", Token: d.Token, Keyslot: -1, Label: d.Label, Hash: d.Hash})
	}
	for _, s := range r.volume.Former {
		j.Steps = append(j.Steps, Step{Do: "kill", Token: -1, Keyslot: s})
	}
	if err := r.effect("journal", func() error { return writeRecord(r.State, r.UUID, journalName, j) }); err != nil {
		return err
	}
	r.journal = j
	return r.remember()
}

// remember writes which tokens are for boots to come, and which boots are retired, before
// the header has the first of them.
func (r *run) remember() error {
	if r.Retire != "" {
		boots, err := ReadRetired(r.State, r.UUID)
		if err != nil {
			return err
		}
		if !slices.ContainsFunc(boots, func(b Retired) bool { return b.Text == r.Retire }) {
			boots = append(boots, Retired{r.Retire, time.Now().UTC()})
			err := r.effect("retired boots", func() error {
				return writeRecord(r.State, r.UUID, retiredName, retired{recordVersion, boots})
			})
			if err != nil {
				return err
			}
		}
	}
	if len(r.texts) == 0 {
		return nil
	}
	p := pending{Version: recordVersion, Hashes: slices.Clone(r.volume.Pending)}
	for _, t := range r.texts {
		if !slices.ContainsFunc(p.Hashes, func(d pcr.Digest) bool { return d.Equal(t.hash) }) {
			p.Hashes = append(p.Hashes, t.hash)
		}
	}
	return r.effect("pending tokens", func() error { return writeRecord(r.State, r.UUID, pendingName, p) })
}

// addKeyslot adds the keyslot of a new secret.
func (r *run) addKeyslot(ctx context.Context, secret, existing []byte) error {
	if existing == nil {
		return nil
	}
	r.doing("adding a keyslot")
	passphrase := luks.Passphrase(secret)
	defer clear(passphrase)
	return r.effect("add the keyslot", func() error {
		r.Changed = true
		slot, err := r.Volume.AddKey(ctx, existing, passphrase, cryptsetup.Quick)
		if err == nil && slot != r.volume.Keyslot {
			err = fmt.Errorf("keyslot %d was added, and not %d: another program works on the volume", slot, r.volume.Keyslot)
		}
		return err
	})
}

// applyTokens changes the tokens: room, additions, expectations, drops.
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
	if r.Plan.Expect {
		if err := r.expect(ctx, ids); err != nil {
			return err
		}
	}
	return r.drop(ctx, r.Plan.Drop)
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
		if t == nil || t.SystemdTPM2() == nil || !slices.Contains(e.Opens(r.texts[i].boot.Values()), id) {
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
		if t == nil || t.SystemdTPM2() == nil || !t.SystemdTPM2().Shards[0].PolicyHash.Equal(d.Hash) {
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
		opens := slices.DeleteFunc(e.Opens(values), func(id int) bool { return !r.volume.Usable(e.Token(id).SystemdTPM2()) })
		if len(opens) == 1 && opens[0] == d.Token {
			return fmt.Errorf("drop token %d: it is the one that opens for the running boot", d.Token)
		}
	}
	return nil
}

// killFormer destroys the keyslots that were replaced, when no token is for them any more.
func (r *run) killFormer(ctx context.Context, secret, existing []byte) error {
	if len(r.volume.Former) == 0 {
		return nil
	}
	if secret == nil {
		r.warn("keyslots %v were replaced and are not destroyed yet: that takes the secret or a passphrase", r.volume.Former)
		return nil
	}
	remaining := luks.Passphrase(secret)
	defer clear(remaining)
	for _, slot := range r.volume.Former {
		h, err := r.Volume.Header()
		if err != nil {
			return err
		}
		if used := usedBy(h, slot); len(used) > 0 {
			r.warn("keyslot %d was replaced, and stays: tokens %v are for it", slot, used)
			continue
		}
		if _, there := h.Metadata.Keyslots[slot]; !there {
			continue
		}
		if existing != nil && r.Volume.Test(ctx, existing, slot) == nil {
			r.warn("keyslot %d was replaced, and stays: it opens with the passphrase that was given", slot)
			continue
		}
		r.doing(fmt.Sprintf("destroying keyslot %d", slot))
		if err := r.effect(fmt.Sprintf("kill keyslot %d", slot), func() error { return r.Volume.KillSlot(ctx, slot, remaining) }); err != nil {
			return err
		}
		r.Killed = append(r.Killed, slot)
	}
	return nil
}

// usedBy returns the tokens that are for a keyslot, bootseal's own aside.
func usedBy(h *luks.Header, slot int) []int {
	var ids []int
	for _, id := range h.Metadata.TokenIDs() {
		t, err := luks.ParseToken(id, h.Metadata.Tokens[id])
		if err != nil {
			ids = append(ids, id) // it may be
			continue
		}
		if _, own := t.(*luks.Boot); !own && slices.Contains(t.Slots(), slot) {
			ids = append(ids, id)
		}
	}
	return ids
}

// end brings everything to disk and closes the journal. What was pending and is gone is
// forgotten; a commit forgets all.
func (r *run) end() error {
	if err := syncFile(r.Device); err != nil {
		return fmt.Errorf("sync %s: %w", r.Device, err)
	}
	if err := r.endPending(); err != nil {
		return err
	}
	if len(r.volume.Former) > len(r.Killed) && r.Source == "" {
		return nil // the next run goes on
	}
	if err := r.effect("close the journal", func() error { return removeRecord(r.State, r.UUID, journalName) }); err != nil {
		return err
	}
	return r.effect("remove the backup", func() error { return removeRecord(r.State, r.UUID, backupName) })
}

// endPending forgets pending tokens that are gone, and after a commit the running boot's.
func (r *run) endPending() error {
	h, err := r.Volume.Header()
	if err != nil {
		return err
	}
	before, err := ReadPending(r.State, r.UUID)
	if err != nil {
		return err
	}
	e := enrollment.Inspect(h)
	var booted []int
	if r.Commit {
		for _, values := range r.volume.Running {
			booted = append(booted, e.Opens(values)...)
		}
	}
	left := pending{Version: recordVersion}
	for i := range e.Tokens {
		t := &e.Tokens[i]
		s := t.SystemdTPM2()
		if s == nil || slices.Contains(booted, t.ID) {
			continue
		}
		if hash := s.Shards[0].PolicyHash; slices.ContainsFunc(before, func(d pcr.Digest) bool { return d.Equal(hash) }) {
			left.Hashes = append(left.Hashes, hash)
		}
	}
	if len(left.Hashes) == len(before) {
		return nil
	}
	return r.effect("settle pending tokens", func() error {
		if len(left.Hashes) == 0 {
			return removeRecord(r.State, r.UUID, pendingName)
		}
		return writeRecord(r.State, r.UUID, pendingName, left)
	})
}
