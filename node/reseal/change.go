package reseal

import (
	"context"
	"crypto/rand"
	"errors"
	"path/filepath"
	"slices"
	"time"

	"github.com/bootseal/bootseal/internal/atomicfile"
	"github.com/bootseal/bootseal/node/state"
	"github.com/bootseal/bootseal/pcr"
)

// change carries the plan out.
func (r *run) change(ctx context.Context) error {
	defer func() { clear(r.pin) }()
	if r.onlyJournal() {
		return r.end() // an earlier run was cut off when all but this was done
	}
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
	if r.Plan.Expect {
		j.Steps = append(j.Steps, Step{Do: "expect", Token: -1, Keyslot: -1})
	}
	for _, s := range r.volume.Former {
		j.Steps = append(j.Steps, Step{Do: "kill", Token: -1, Keyslot: s})
	}
	if err := r.effect("journal", func() error { return state.Write(r.State, r.UUID, journalName, j) }); err != nil {
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
				return state.Write(r.State, r.UUID, retiredName, retired{recordVersion, boots})
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
	return r.effect("pending tokens", func() error { return state.Write(r.State, r.UUID, pendingName, p) })
}
