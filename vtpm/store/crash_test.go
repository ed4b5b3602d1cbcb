package store_test

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"syscall"
	"testing"

	"github.com/bootseal/bootseal/vtpm"
	"github.com/bootseal/bootseal/vtpm/store"
)

// testKey is a key to states, for tests.
var testKey = bytes.Repeat([]byte("key!"), store.KeySize/4)

var keyOptions = store.Options{Key: testKey, Instance: "test"}

// history is a store that notes what each Commit made of the records. The Commit
// that did not return is the last one, if pending.
type history struct {
	vtpm.Store
	states  []map[string][]byte
	pending map[string][]byte
	off     bool // the power went in the pending one
}

func newHistory(s vtpm.Store) *history {
	records, err := s.Load()
	if err != nil {
		panic(err)
	}
	return &history{Store: s, states: []map[string][]byte{records}}
}

func (h *history) last() map[string][]byte { return h.states[len(h.states)-1] }

func (h *history) Commit(changes map[string][]byte) error {
	if h.off {
		return errPower
	}
	next := maps.Clone(h.last())
	for name, value := range changes {
		next[name] = bytes.Clone(value)
		if value == nil {
			delete(next, name)
		}
	}
	h.pending = next
	if err := h.Store.Commit(changes); err != nil {
		h.off = errors.Is(err, errPower)
		return err
	}
	h.states, h.pending = append(h.states, next), nil
	return nil
}

func same(a, b map[string][]byte) bool { return maps.EqualFunc(a, b, bytes.Equal) }

// checkRestart opens the state on a disk after a power cut: every acknowledged
// change is there, and the one in flight as a whole or not at all. Then the state
// must work on.
func (h *history) checkRestart(d *disk) error {
	s, err := store.OpenFiles(d, keyOptions)
	if err != nil {
		return fmt.Errorf("open: %w", err)
	}
	records, err := s.Load()
	if err != nil {
		return err
	}
	if !same(records, h.last()) && (h.pending == nil || !same(records, h.pending)) {
		return fmt.Errorf("records %q, want %q or %q", slices.Sorted(maps.Keys(records)), slices.Sorted(maps.Keys(h.last())), slices.Sorted(maps.Keys(h.pending)))
	}
	if err := s.Commit(map[string][]byte{"after": []byte("restart")}); err != nil {
		return fmt.Errorf("commit after the restart: %w", err)
	}
	records["after"] = []byte("restart")
	s, err = store.OpenFiles(d.restart(cuts(0)[0]), keyOptions)
	if err != nil {
		return fmt.Errorf("open once more: %w", err)
	}
	if again, _ := s.Load(); !same(again, records) {
		return errors.New("the commit after the restart is not there")
	}
	return nil
}

// cutAt makes the power go at an operation.
func cutAt(at int) func(int, string) error {
	return func(op int, _ string) error {
		if op == at {
			return errPower
		}
		return nil
	}
}

// TestPowerCutAnywhere cuts the power at every operation of a TPM's life, in all
// ways, and starts again.
func TestPowerCutAnywhere(t *testing.T) {
	d := newDisk()
	whole := newHistory(mustOpen(t, d))
	if done := live(t, whole); done != len(life) {
		t.Fatalf("the life ended after %d steps", done)
	}
	states := 0
	operations := d.ops
	for at := range operations {
		d := newDisk()
		d.fail = cutAt(at)
		h := newHistory(mustOpen(t, d))
		done := live(t, h)
		for n, c := range cuts(uint64(at)) {
			restarted := d.restart(c)
			states++
			if err := h.checkRestart(restarted); err != nil {
				t.Fatalf("power cut at operation %d of %d, %s: %v", at, operations, c.name, err)
			}
			if n < 2 && done > 0 {
				revive(t, d.restart(c), done)
			}
		}
	}
	t.Logf("%d commits, %d operations, %d restarts", len(whole.states)-1, operations, states)
}

func mustOpen(t testing.TB, d *disk) *store.Directory {
	t.Helper()
	s, err := store.OpenFiles(d, keyOptions)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestPowerCutsInARow lets the power go by chance, again and again, in the recovery
// from the last time, too.
func TestPowerCutsInARow(t *testing.T) {
	for seed := range uint64(40) {
		r := rand.New(rand.NewPCG(seed, 1))
		d := newDisk()
		kept := map[string][]byte{}
		for round := range 25 {
			s, err := store.OpenFiles(d, keyOptions)
			if err != nil {
				t.Fatalf("seed %d, round %d: %v", seed, round, err)
			}
			h := newHistory(s)
			if !same(h.last(), kept) {
				t.Fatalf("seed %d, round %d: the state is not the one that was there", seed, round)
			}
			d.fail = cutAt(d.ops + r.IntN(40))
			for h.Commit(randomChanges(r)) == nil {
			}
			all := cuts(r.Uint64())
			d = d.restart(all[r.IntN(len(all))])
			if s, err = store.OpenFiles(d, keyOptions); err != nil {
				t.Fatalf("seed %d, round %d: %v", seed, round, err)
			}
			kept, _ = s.Load()
			if !same(kept, h.last()) && !same(kept, h.pending) {
				t.Fatalf("seed %d, round %d: a change is lost or torn", seed, round)
			}
		}
	}
}

func randomChanges(r *rand.Rand) map[string][]byte {
	changes := make(map[string][]byte)
	for range 1 + r.IntN(3) {
		value := make([]byte, r.IntN(1200))
		for i := range value {
			value[i] = byte(r.Uint32())
		}
		if r.IntN(5) == 0 {
			value = nil
		}
		changes[fmt.Sprintf("record %d", r.IntN(6))] = value
	}
	return changes
}

// TestDiskFails makes every operation of a TPM's life fail, once, and for some
// time. A commit that cannot be made is an error and changes nothing, the next one
// works when the disk does, and a power cut after that loses nothing. A failed sync
// is the worst of them: the next one would succeed without having written.
func TestDiskFails(t *testing.T) {
	d := newDisk()
	s := mustOpen(t, d)
	run := func(s vtpm.Store, each func(i int, changes map[string][]byte)) {
		r := rand.New(rand.NewPCG(1, 2))
		for i := range 60 {
			each(i, randomChanges(r))
		}
	}
	run(s, func(_ int, changes map[string][]byte) {
		if err := s.Commit(changes); err != nil {
			t.Fatal(err)
		}
	})
	failures := 0
	for at := range d.ops {
		for _, length := range []int{1, 2, 9} {
			{
				errno := []error{syscall.ENOSPC, syscall.EIO, syscall.EROFS}[(at+length)%3]
				d := newDisk()
				d.fail = func(op int, _ string) error {
					if op >= at && op < at+length {
						return errno
					}
					return nil
				}
				s := mustOpen(t, d)
				h := newHistory(s)
				run(s, func(i int, changes map[string][]byte) {
					err := h.Commit(changes)
					if err != nil {
						failures++
					}
					if err != nil && !errors.Is(err, errno) {
						t.Fatalf("operations %d to %d: %v, want %v", at, at+length-1, err, errno)
					}
					if records, _ := s.Load(); !same(records, h.last()) {
						t.Fatalf("operations %d to %d, %v: commit %d was not undone", at, at+length-1, errno, i)
					}
				})
				for range length {
					if h.pending != nil {
						h.Commit(map[string][]byte{"room": []byte("again")})
					}
				}
				if h.pending != nil {
					t.Fatalf("operations %d to %d, %v: the last commit failed", at, at+length-1, errno)
				}
				for _, c := range cuts(uint64(at))[:4] {
					if err := h.checkRestart(d.restart(c)); err != nil {
						t.Fatalf("operations %d to %d, %v, then %s: %v", at, at+length-1, errno, c.name, err)
					}
				}
			}
		}
	}
	t.Logf("%d operations, %d failed commits", d.ops, failures)
}

// TestFailedCommitStaysFailed: a commit whose sync failed, and for which no new file
// could be made, is taken back, although what it wrote reached the disk.
func TestFailedCommitStaysFailed(t *testing.T) {
	d := newDisk()
	h := newHistory(mustOpen(t, d))
	if err := h.Commit(map[string][]byte{"a": []byte("1")}); err != nil {
		t.Fatal(err)
	}
	first := d.ops
	d.late = true
	d.fail = func(op int, what string) error {
		if op == first+1 && what == "sync" || what == "create" {
			return syscall.EIO
		}
		return nil
	}
	if err := h.Commit(map[string][]byte{"a": []byte("2")}); !errors.Is(err, syscall.EIO) {
		t.Fatalf("commit: %v", err)
	}
	h.pending = nil // must not be found
	for _, c := range cuts(0) {
		if err := h.checkRestart(d.restart(c)); err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}
