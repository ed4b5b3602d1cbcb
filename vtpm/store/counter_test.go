package store_test

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/bootseal/bootseal/vtpm/store"
)

// A tally is a counter beside a disk: it survives when the disk loses power, and can
// fail as an operation of the disk, before or after it moved.
type tally struct {
	mu    sync.Mutex
	count store.Count
	disk  *disk // nil: it never fails
	late  bool  // fail after the move
}

func (c *tally) Read() (store.Count, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.disk != nil && c.disk.off {
		return store.Count{}, errPower
	}
	return c.count, nil
}

func (c *tally) Advance(from uint64) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	var err error
	if c.disk != nil {
		err = c.disk.step("advance")
	}
	if err != nil && !c.late {
		return err
	}
	if c.count.Value != from {
		return fmt.Errorf("the count is %d, not %d", c.count.Value, from)
	}
	c.count = store.Count{Value: from + 1, InUse: true}
	return err
}

func counted(c store.Counter) store.Options {
	return store.Options{Key: testKey, Instance: "test", Counter: c}
}

// shifts opens, changes and closes a state some times, until the power goes. It returns
// what was acknowledged last, what was pending then, and an image of the disk at the end
// of each shift.
func shifts(d *disk, c *tally) (last, pending map[string][]byte, images []*disk) {
	last = map[string][]byte{}
	for shift := range 3 {
		s, err := store.OpenFiles(d, counted(c))
		if err != nil {
			return last, nil, images
		}
		h := newHistory(s)
		for i := range 4 {
			if i == 2 && s.Count() != nil {
				return h.last(), nil, images
			}
			value := bytes.Repeat([]byte{byte(1 + shift*4 + i)}, 1200)
			if h.Commit(map[string][]byte{"a": value, fmt.Sprint("b", i): value[:9]}) != nil {
				return h.last(), h.pending, images
			}
		}
		last = h.last()
		if s.Close() != nil {
			return last, nil, images
		}
		images = append(images, d.restart(cuts(0)[0]))
	}
	return last, nil, images
}

// TestCounterNeverLocksOut cuts the power at every operation of counted lives, the
// counter's moves among them, before and after they happen. The state opens again
// with the counter, and has what was acknowledged.
func TestCounterNeverLocksOut(t *testing.T) {
	whole := newDisk()
	if _, _, images := shifts(whole, &tally{disk: whole}); len(images) != 3 {
		t.Fatal("the power went without a cut")
	}
	restarts := 0
	for at := range whole.ops {
		for _, late := range []bool{false, true} {
			d := newDisk()
			d.fail = cutAt(at)
			c := &tally{disk: d, late: late}
			last, pending, _ := shifts(d, c)
			for _, cut := range cuts(uint64(at)) {
				after := &tally{count: c.count}
				restarted := d.restart(cut)
				s, err := store.OpenFiles(restarted, counted(after))
				if err != nil {
					t.Fatalf("cut at operation %d of %d (late %v), %s: %v", at, whole.ops, late, cut.name, err)
				}
				if records, _ := s.Load(); !same(records, last) && (pending == nil || !same(records, pending)) {
					t.Fatalf("cut at operation %d of %d, %s: a change is lost", at, whole.ops, cut.name)
				}
				if err := s.Close(); err != nil {
					t.Fatal(err)
				}
				if _, err := store.OpenFiles(restarted.restart(cuts(0)[0]), counted(after)); err != nil {
					t.Fatalf("cut at operation %d of %d, %s: opened once, and not again: %v", at, whole.ops, cut.name, err)
				}
				restarts++
			}
		}
	}
	t.Logf("%d operations, %d restarts", whole.ops, restarts)
}

// TestCounterFails makes the counter fail for a while, as a TPM may. A state that
// cannot be counted does not open, and opens when the counter works.
func TestCounterFails(t *testing.T) {
	errTPM := errors.New("the TPM is away")
	for _, late := range []bool{false, true} {
		d := newDisk()
		c := &tally{disk: d, late: late}
		d.fail = func(_ int, what string) error {
			if what == "advance" {
				return errTPM
			}
			return nil
		}
		if _, err := store.OpenFiles(d, counted(c)); !errors.Is(err, errTPM) {
			t.Fatalf("opened with %v", err)
		}
		d.fail = nil
		s, err := store.OpenFiles(d, counted(c))
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Commit(map[string][]byte{"a": []byte("1")}); err != nil {
			t.Fatal(err)
		}
		d.fail = func(_ int, what string) error {
			if what == "advance" {
				return errTPM
			}
			return nil
		}
		if err := s.Close(); !errors.Is(err, errTPM) {
			t.Fatalf("closed with %v", err)
		}
		d.fail = nil
		s, err = store.OpenFiles(d, counted(c))
		if err != nil {
			t.Fatal(err)
		}
		if records, _ := s.Load(); string(records["a"]) != "1" {
			t.Errorf("records %q", records)
		}
	}
}

// TestOlderCopyIsRefused puts back the disk as it was after each earlier shift, removes
// the state, and brings one of another counter. Each is accepted only when asked for.
func TestOlderCopyIsRefused(t *testing.T) {
	d := newDisk()
	c := &tally{disk: d}
	_, _, images := shifts(d, c)
	images[2] = newDisk() // removed
	foreign := newDisk()
	other := &tally{count: store.Count{Value: 100}}
	if s, err := store.OpenFiles(foreign, counted(other)); err != nil || s.Close() != nil {
		t.Fatal(err)
	}
	uncounted := newDisk()
	if err := mustOpen(t, uncounted).Commit(map[string][]byte{"a": []byte("old")}); err != nil {
		t.Fatal(err)
	}
	for i, image := range append(images, foreign, uncounted) {
		var rollback *store.RollbackError
		if _, err := store.OpenFiles(image, counted(&tally{count: c.count})); !errors.As(err, &rollback) {
			t.Errorf("image %d: %v", i, err)
			continue
		}
		if rollback.Missing != (i == 2) || rollback.Counter != c.count.Value {
			t.Errorf("image %d: %v", i, rollback)
		}
		again := &tally{count: c.count}
		o := counted(again)
		o.Accept = true
		s, err := store.OpenFiles(image, o)
		if err != nil {
			t.Fatalf("image %d, accepted: %v", i, err)
		}
		before, _ := s.Load()
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		s, err = store.OpenFiles(image, counted(again))
		if err != nil {
			t.Fatalf("image %d, after it was accepted: %v", i, err)
		}
		if after, _ := s.Load(); !same(before, after) {
			t.Errorf("image %d: it changed", i)
		}
	}
	if _, err := store.OpenFiles(d.restart(cuts(0)[0]), counted(c)); err != nil {
		t.Errorf("the last image: %v", err)
	}
}

// A state that is counted opens with its counter only, and a counter is of no use
// without a key.
func TestCounterIsNeeded(t *testing.T) {
	d := newDisk()
	if _, err := store.OpenFiles(d, counted(&tally{})); err != nil {
		t.Fatal(err)
	}
	if _, err := store.OpenFiles(d, keyOptions); !errors.Is(err, store.ErrCounted) {
		t.Errorf("without its counter: %v", err)
	}
	if _, err := store.OpenFiles(newDisk(), store.Options{Counter: &tally{}}); err == nil {
		t.Error("a counter without a key")
	}
	// The count is no record of the TPM's.
	s, err := store.OpenFiles(newDisk(), counted(&tally{}))
	if err != nil {
		t.Fatal(err)
	}
	if records, _ := s.Load(); len(records) != 0 {
		t.Errorf("records %q", records)
	}
	if err := s.Commit(map[string][]byte{"\x00count": nil}); err == nil {
		t.Error("the count was taken for a record of the TPM")
	}
}

// A ledger counts many states with one counter, for many processes and goroutines. It
// is counted itself.
func TestLedger(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "ledger")
	root := &tally{count: store.Count{Value: 7, InUse: true}}
	ledger := newLedger(t, dir, root)
	if _, err := ledger.Counter("a").Read(); err == nil {
		t.Error("there is no ledger, and that is no error")
	}
	if err := ledger.Create(); err != nil {
		t.Fatal(err)
	}
	if err := ledger.Create(); err == nil {
		t.Error("made again")
	}
	copied, err := os.ReadFile(filepath.Join(dir, stateFile))
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	for i := range 16 {
		all.Go(func() {
			// Each opens its own: what processes would do.
			c := newLedger(t, dir, root).Counter(fmt.Sprint("state ", i%8))
			if i < 8 {
				c = ledger.Counter(fmt.Sprint("other state ", i))
			}
			for n := range uint64(3) {
				count, err := c.Read()
				if i < 8 && (err != nil || count != store.Count{Value: n, InUse: n > 0}) {
					t.Errorf("count %v, %v: want %d", count, err, n)
				}
				if err := c.Advance(count.Value); i < 8 && err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	if err := ledger.Counter("other state 1").Advance(1); err == nil {
		t.Error("moved from a count that was")
	}
	if err := os.WriteFile(filepath.Join(dir, stateFile), copied, 0o600); err != nil {
		t.Fatal(err)
	}
	var rollback *store.RollbackError
	if _, err := ledger.Counter("other state 1").Read(); !errors.As(err, &rollback) || !strings.Contains(err.Error(), "ledger") {
		t.Errorf("an older ledger: %v", err)
	}
	if err := ledger.Accept(); err != nil {
		t.Fatal(err)
	}
	if count, err := ledger.Counter("other state 1").Read(); err != nil || count.Value != 0 {
		t.Errorf("count %v, %v", count, err)
	}
}

func newLedger(t *testing.T, dir string, root store.Counter) *store.Ledger {
	t.Helper()
	l, err := store.NewLedger(dir, testKey, root)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// A count that is retired lets its state be missing, and no copy of it open.
func TestRetire(t *testing.T) {
	ledger := newLedger(t, t.TempDir(), &tally{count: store.Count{Value: 1, InUse: true}})
	if err := ledger.Create(); err != nil {
		t.Fatal(err)
	}
	d := newDisk()
	c := ledger.Counter("test")
	if s, err := store.OpenFiles(d, counted(c)); err != nil || s.Close() != nil {
		t.Fatal(err)
	}
	if _, err := store.OpenFiles(newDisk(), counted(c)); err == nil {
		t.Fatal("the state is missing, and nobody says so")
	}
	if err := c.Retire(); err != nil {
		t.Fatal(err)
	}
	if _, err := store.OpenFiles(d, counted(c)); err == nil {
		t.Error("the old state opens")
	}
	if _, err := store.OpenFiles(newDisk(), counted(c)); err != nil {
		t.Errorf("a new one: %v", err)
	}
	if _, err := store.OpenFiles(d, counted(c)); err == nil {
		t.Error("the old state opens in the new one's place")
	}
}

// TestRekey cuts the power at every operation of a change of keys and counters: the
// state opens with the old or with the new ones.
func TestRekey(t *testing.T) {
	before, after := counted(nil), store.Options{Key: bytes.Repeat([]byte("new!"), 8), Instance: "moved"}
	for _, c := range []struct {
		name       string
		from, to   store.Options
		counts     bool // the new one
		wasCounted bool
	}{
		{"key", before, after, false, false},
		{"no key", before, store.Options{}, false, false},
		{"first key", store.Options{}, after, false, false},
		{"counter", before, after, true, false},
		{"counters", before, after, true, true},
		{"no counter", before, after, false, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			for at := 0; ; at++ {
				d := newDisk()
				from, to, old, next := c.from, c.to, &tally{}, &tally{}
				if c.wasCounted {
					from.Counter = old
				}
				s, err := store.OpenFiles(d, from)
				if err != nil {
					t.Fatal(err)
				}
				records := map[string][]byte{"a": []byte("1"), "b": bytes.Repeat([]byte("2"), 3000)}
				if err := s.Commit(records); err != nil {
					t.Fatal(err)
				}
				start := d.ops
				d.fail = cutAt(start + at)
				next.disk = d
				if c.counts {
					to.Counter = next
				}
				err = s.Rekey(to)
				done := err == nil
				for _, cut := range cuts(uint64(at)) {
					restarted, next := d.restart(cut), &tally{count: next.count}
					if c.wasCounted {
						from.Counter = &tally{count: old.count}
					}
					if c.counts {
						to.Counter = next
					}
					o := to
					s, err := store.OpenFiles(restarted, to)
					if err != nil && !done {
						o = from
						s, err = store.OpenFiles(restarted, from)
					}
					if err != nil {
						t.Fatalf("cut at operation %d, %s: %v", at, cut.name, err)
					}
					if have, _ := s.Load(); !same(have, records) {
						t.Fatalf("cut at operation %d, %s: records %q", at, cut.name, have)
					}
					if err := s.Close(); err != nil {
						t.Fatal(err)
					}
					if _, err := store.OpenFiles(restarted, o); err != nil {
						t.Fatalf("cut at operation %d, %s: %v", at, cut.name, err)
					}
				}
				if done {
					break
				}
			}
		})
	}
	t.Run("counter of another state", func(t *testing.T) {
		s := mustOpen(t, newDisk())
		to := after
		to.Counter = &tally{count: store.Count{Value: 3, InUse: true}}
		if err := s.Rekey(to); err == nil {
			t.Error("took it over")
		}
	})
}

// Inspect says what is there and what is wrong with it, and changes nothing.
func TestInspect(t *testing.T) {
	dir := t.TempDir()
	c := &tally{count: store.Count{Value: 41, InUse: true}}
	var rollback *store.RollbackError
	if _, refused, err := store.Inspect(dir, counted(c)); !errors.Is(err, fs.ErrNotExist) || !errors.As(refused, &rollback) {
		t.Errorf("nothing there: %v, %v", refused, err)
	}
	c.count = store.Count{}
	s := openOptions(t, dir, counted(c))
	if err := s.Commit(map[string][]byte{"a": []byte("123")}); err != nil {
		t.Fatal(err)
	}
	if _, _, err := store.Inspect(dir, counted(c)); !errors.Is(err, store.ErrInUse) {
		t.Errorf("open: %v", err)
	}
	s.Close()
	before := c.count
	info, refused, err := store.Inspect(dir, counted(c))
	if err != nil || refused != nil {
		t.Fatalf("%v, %v", refused, err)
	}
	if len(info.Records) != 1 || info.Records[0] != (store.RecordInfo{Name: "a", Size: 3}) || !info.Encrypted || info.Version != 2 || info.Count != 2 || info.Free == 0 {
		t.Errorf("info %+v", info)
	}
	if c.count != before {
		t.Error("the counter moved")
	}
	c.count.Value++
	c.count.Value++
	if info, refused, err := store.Inspect(dir, counted(c)); err != nil || !errors.As(refused, &rollback) || len(info.Records) != 1 {
		t.Errorf("an older one: %v, %v", refused, err)
	}
}
