package reseal

import (
	"fmt"
	"slices"

	"github.com/bootseal/bootseal/node/enrollment"
	"github.com/bootseal/bootseal/node/state"
	"github.com/bootseal/bootseal/pcr"
)

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
	// The backup has keys: it must not stay behind without a journal that tells of it.
	if err := r.effect("remove the backup", func() error { return state.Remove(r.State, r.UUID, backupName) }); err != nil {
		return err
	}
	return r.effect("close the journal", func() error { return state.Remove(r.State, r.UUID, journalName) })
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
			booted = append(booted, e.Fits(values)...)
		}
	}
	left := pending{Version: recordVersion}
	for i := range e.Tokens {
		t := &e.Tokens[i]
		k := t.Key()
		if k == nil || slices.Contains(booted, t.ID) {
			continue
		}
		if hash := k.Hash; slices.ContainsFunc(before, func(d pcr.Digest) bool { return d.Equal(hash) }) {
			left.Hashes = append(left.Hashes, hash)
		}
	}
	if len(left.Hashes) == len(before) {
		return nil
	}
	return r.effect("settle pending tokens", func() error {
		if len(left.Hashes) == 0 {
			return state.Remove(r.State, r.UUID, pendingName)
		}
		return state.Write(r.State, r.UUID, pendingName, left)
	})
}
