package store_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"

	"github.com/bootseal/bootseal/vtpm/store"
)

const sector = 512

// disk is a directory on a disk that loses power and fails. What was written and
// not synced is pending: a power cut keeps any of it and loses the rest, sector by
// sector, and directory entry by directory entry, in no order.
type disk struct {
	mu      sync.Mutex
	names   map[string]*inode // as the running system sees it
	durable map[string]*inode
	entries []entry // changes of names since the last Sync

	ops  int
	fail func(op int, what string) error // asked before each operation; may be nil
	late bool                            // what a failed sync had to write is written later
	off  bool                            // the power is gone
}

// inode is a file: what the system sees, and what is on the disk.
type inode struct {
	seen, durable []byte
	pending       []write
}

type write struct {
	at   int
	data []byte
}

// entry is a change of a name; a nil inode is a removal.
type entry struct {
	name string
	to   *inode
}

var errPower = errors.New("the power is off")

func newDisk() *disk {
	return &disk{names: make(map[string]*inode), durable: make(map[string]*inode)}
}

// step counts an operation and says whether it fails.
func (d *disk) step(what string) error {
	if d.off {
		return errPower
	}
	op := d.ops
	d.ops++
	if d.fail == nil {
		return nil
	}
	err := d.fail(op, what)
	d.off = d.off || errors.Is(err, errPower)
	return err
}

func (d *disk) Open(name string) (store.File, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	i, ok := d.names[name]
	if !ok {
		return nil, fs.ErrNotExist
	}
	return &handle{d, i}, nil
}

func (d *disk) Create(name string) (store.File, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.step("create"); err != nil {
		return nil, err
	}
	i := new(inode)
	d.names[name] = i
	d.entries = append(d.entries, entry{name, i})
	return &handle{d, i}, nil
}

func (d *disk) Rename(from, to string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.step("rename"); err != nil {
		return err
	}
	i, ok := d.names[from]
	if !ok {
		return fs.ErrNotExist
	}
	delete(d.names, from)
	d.names[to] = i
	d.entries = append(d.entries, entry{to, i}, entry{from, nil})
	return nil
}

func (d *disk) Remove(name string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.step("remove"); err != nil {
		return err
	}
	delete(d.names, name)
	d.entries = append(d.entries, entry{name, nil})
	return nil
}

func (d *disk) Sync() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.step("sync directory"); err != nil {
		return err
	}
	d.durable, d.entries = maps.Clone(d.names), nil
	return nil
}

// handle is an open file.
type handle struct {
	d *disk
	i *inode
}

func (h *handle) Close() error { return nil }

func (h *handle) Size() (int64, error) {
	h.d.mu.Lock()
	defer h.d.mu.Unlock()
	return int64(len(h.i.seen)), nil
}

func (h *handle) ReadAt(b []byte, at int64) (int, error) {
	h.d.mu.Lock()
	defer h.d.mu.Unlock()
	return bytes.NewReader(h.i.seen).ReadAt(b, at)
}

// WriteAt writes half of the data before it fails, unless the power goes: then
// what is written is for the power cut to choose.
func (h *handle) WriteAt(b []byte, at int64) (int, error) {
	h.d.mu.Lock()
	defer h.d.mu.Unlock()
	w := write{int(at), bytes.Clone(b)}
	wasOff := h.d.off
	err := h.d.step("write")
	switch {
	case h.d.off && !wasOff:
		h.i.pending = append(h.i.pending, w)
		return 0, err
	case h.d.off:
		return 0, err
	case err != nil:
		w.data = w.data[:len(b)/2]
	}
	h.i.seen = w.apply(h.i.seen)
	h.i.pending = append(h.i.pending, w)
	if err != nil {
		return len(w.data), err
	}
	return len(b), nil
}

// Sync makes the content durable. When it fails, the pages are clean all the same,
// as they are in Linux: what was pending is seen, and never written.
func (h *handle) Sync() error {
	h.d.mu.Lock()
	defer h.d.mu.Unlock()
	err := h.d.step("sync")
	if h.d.off {
		return err
	}
	if err == nil || h.d.late {
		h.i.durable = bytes.Clone(h.i.seen)
	}
	h.i.pending = nil
	return err
}

func (h *handle) Datasync() error { return h.Sync() }

func (w write) apply(content []byte) []byte {
	if end := w.at + len(w.data); end > len(content) {
		content = append(content, make([]byte, end-len(content))...)
	}
	copy(content[w.at:], w.data)
	return content
}

// A cut says what a power cut keeps of the pending writes.
type cut struct {
	name string
	keep func(i *inode) []write
	// entry says whether a pending change of a name is kept.
	entry func() bool
}

func never() bool  { return false }
func always() bool { return true }

// cuts are the ways to lose power that are tried at every operation.
func cuts(seed uint64) []cut {
	all := []cut{
		{"all lost", func(*inode) []write { return nil }, never},
		{"all kept", func(i *inode) []write { return i.pending }, always},
		{"content kept, names lost", func(i *inode) []write { return i.pending }, never},
		{"content lost, names kept", func(*inode) []write { return nil }, always},
	}
	// Torn at a byte, counted from the front or from the back.
	for _, n := range []int{1, 7, 8, 9, 11, 12, 13, 40, 506, 507, 508, 511, 512, 513, 1024, -513, -512, -511, -5, -4, -2, -1} {
		all = append(all, cut{fmt.Sprintf("torn at %d", n), tornAt(n), always})
	}
	for n := range uint64(6) {
		r := rand.New(rand.NewPCG(seed, n))
		all = append(all, cut{fmt.Sprintf("sectors by chance %d", n), sectors(r), func() bool { return r.IntN(2) == 0 }})
	}
	return all
}

// tornAt keeps all writes but the last one of a file, and of that a prefix.
func tornAt(n int) func(*inode) []write {
	return func(i *inode) []write {
		if len(i.pending) == 0 {
			return nil
		}
		kept := slices.Clone(i.pending)
		last := &kept[len(kept)-1]
		size := n
		if n < 0 {
			size = max(0, len(last.data)+n)
		}
		last.data = last.data[:min(size, len(last.data))]
		return kept
	}
}

// sectors keeps any sectors of the pending writes.
func sectors(r *rand.Rand) func(*inode) []write {
	return func(i *inode) []write {
		var kept []write
		for _, w := range i.pending {
			for at := 0; at < len(w.data); at += sector {
				if r.IntN(2) == 0 {
					kept = append(kept, write{w.at + at, w.data[at:min(at+sector, len(w.data))]})
				}
			}
		}
		r.Shuffle(len(kept), func(a, b int) { kept[a], kept[b] = kept[b], kept[a] })
		return kept
	}
}

// restart returns the disk as it is when the power comes back.
func (d *disk) restart(c cut) *disk {
	d.mu.Lock()
	defer d.mu.Unlock()
	names := maps.Clone(d.durable)
	for _, e := range d.entries {
		if !c.entry() {
			continue
		}
		if e.to == nil {
			delete(names, e.name)
		} else {
			names[e.name] = e.to
		}
	}
	next := newDisk()
	for name, i := range names {
		content := bytes.Clone(i.durable)
		for _, w := range c.keep(i) {
			content = w.apply(content)
		}
		next.names[name] = &inode{seen: content, durable: bytes.Clone(content)}
	}
	next.durable = maps.Clone(next.names)
	return next
}

// image returns a file's content.
func (d *disk) image(name string) []byte {
	f, err := d.Open(name)
	if err != nil {
		return nil
	}
	size, _ := f.Size()
	b := make([]byte, size)
	if _, err := f.ReadAt(b, 0); err != nil && !errors.Is(err, io.EOF) {
		panic(err)
	}
	return b
}
