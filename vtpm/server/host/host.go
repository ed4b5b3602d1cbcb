package host

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/bootseal/bootseal/vtpm"
	"github.com/bootseal/bootseal/vtpm/server"
	"github.com/bootseal/bootseal/vtpm/store"
)

// Options configure a Host. The zero value is one without a key.
type Options struct {
	// StoreOptions says how the state of an instance is kept in its directory, such as
	// encrypted. Nil is the zero store.Options for all. A counter that can be retired is
	// when its instance is removed.
	StoreOptions func(name string) store.Options
	// OpenStore opens the state of an instance elsewhere than in its directory, where
	// nobody else has it open. Nil keeps states in directories. The closer may have a method
	// Lost() context.Context, which is done when the state is somebody else's: the instance
	// ends then, and the context's cause says why.
	OpenStore func(name string) (vtpm.Store, io.Closer, error)
	// Manufacture makes a TPM in an empty store with what a factory hands over, as the
	// layout says. It returns what it made, as JSON. Nil refuses each layout but "".
	Manufacture func(ctx context.Context, o vtpm.Options, name, layout string) (json.RawMessage, error)
	// Primes are for the RSA keys that the TPMs create; the caller closes it after the
	// host. It may be nil.
	Primes *vtpm.PrimePool
	// Report is told what happens, from any goroutine. It may be nil.
	Report func(Event)
}

// Host runs the instances of a directory. Its methods can be called from any goroutine;
// what is done with one instance is done one after the other.
type Host struct {
	o       Options
	dir     *directory
	threads *server.Threads
	sockets atomic.Uint64 // that were made
	meter   meter

	mu        sync.Mutex
	instances map[string]*instance
	closed    bool
}

// maxThreads is how many clients of all instances may hold a thread while they are busy: one
// for each processor. With more, 50 busy clients of 50 instances got a third fewer answers
// than from the poller; a single one is as fast.
func maxThreads() int { return min(runtime.GOMAXPROCS(0), 256) }

// Open returns the host of the instances in dir, which is made if it is not there. No
// other process can have it open. Instances that are damaged are there, as StateBroken.
// What a process that ended in the middle had not made or removed to the end is removed.
//
// Nothing runs until StartAll or Start.
func Open(dir string, o Options) (*Host, error) {
	d, err := openDirectory(dir)
	if err != nil {
		return nil, err
	}
	h := &Host{o: o, dir: d, threads: server.NewThreads(maxThreads()), instances: make(map[string]*instance)}
	if err := h.load(); err != nil {
		return nil, errors.Join(err, d.Close())
	}
	return h, nil
}

// Dir returns the directory's absolute path.
func (h *Host) Dir() string { return h.dir.path }

// load reads the instances of the directory.
func (h *Host) load() error {
	names, err := h.dir.names()
	if err != nil {
		return fmt.Errorf("read the directory of the instances: %w", err)
	}
	for _, name := range names {
		i := newInstance(h, name)
		c, err := h.dir.readConfig(name)
		switch {
		case err != nil && h.dir.removeEmpty(name):
			continue // no configuration had been written yet
		case err != nil:
			i.set(StateBroken, fmt.Errorf("read the instance %s: %w", name, err))
		case c.Incomplete:
			if err := h.discard(name, c.KeepState); err == nil {
				continue
			}
			i.set(StateBroken, fmt.Errorf("remove what is left of the instance %s: %w", name, err))
		}
		i.config = c
		h.instances[name] = i
	}
	return nil
}

// StartAll starts the instances that are to run, and returns when each does or has failed;
// what failed Report was told. The error is that of ctx.
func (h *Host) StartAll(ctx context.Context) error {
	work := make(chan *instance)
	var wg sync.WaitGroup
	// Starting waits for the disk as often as it computes.
	for range 4 * runtime.GOMAXPROCS(0) {
		wg.Go(func() {
			for i := range work {
				if _, release, err := h.acquire(ctx, i.name); err == nil {
					i.start()
					release()
				}
			}
		})
	}
	for _, i := range h.all() {
		if s, c, _ := i.get(); s != StateStopped || !c.Started {
			continue
		}
		select {
		case work <- i:
		case <-ctx.Done():
		}
	}
	close(work)
	wg.Wait()
	return ctx.Err()
}

// Close stops all instances in order, so that they are started with the next Host. The
// error says which did not stop before ctx was done; those end with the process, and lose
// nothing that they acknowledged.
func (h *Host) Close(ctx context.Context) error {
	h.mu.Lock()
	h.closed = true
	h.mu.Unlock()
	all := h.all()
	errs := make([]error, len(all))
	var wg sync.WaitGroup
	for n, i := range all {
		wg.Go(func() {
			release, err := i.acquire(ctx)
			if err == nil {
				defer release()
				err = i.stop(ctx)
			}
			if err != nil {
				errs[n] = fmt.Errorf("stop %s: %w", i.name, err)
			}
		})
	}
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		return err // what has not ended has the directory still in use
	}
	return h.dir.Close()
}

// all returns the instances by name.
func (h *Host) all() []*instance {
	h.mu.Lock()
	defer h.mu.Unlock()
	list := make([]*instance, 0, len(h.instances))
	for _, i := range h.instances {
		list = append(list, i)
	}
	slices.SortFunc(list, func(a, b *instance) int { return strings.Compare(a.name, b.name) })
	return list
}

// find returns the instance with the name.
func (h *Host) find(name string) (*instance, error) {
	if err := CheckName(name); err != nil {
		return nil, err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if i := h.instances[name]; i != nil {
		return i, nil
	}
	return nil, fmt.Errorf("%w: %s", ErrNotFound, name)
}

// acquire returns the instance with the name for one thing to do with it.
func (h *Host) acquire(ctx context.Context, name string) (*instance, func(), error) {
	i, err := h.find(name)
	if err != nil {
		return nil, nil, err
	}
	release, err := i.acquire(ctx)
	if err != nil {
		return nil, nil, err
	}
	if state, _, _ := i.get(); state == StateRemoved {
		release()
		return nil, nil, fmt.Errorf("%w: %s", ErrNotFound, name)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		release()
		return nil, nil, ErrClosed
	}
	return i, release, nil
}

func (h *Host) report(kind EventKind, instance string, err error) {
	if h.o.Report != nil {
		h.o.Report(Event{kind, instance, err})
	}
}

// openStore opens the state of an instance.
func (h *Host) openStore(name string) (vtpm.Store, io.Closer, error) {
	if err := h.dir.check(name); err != nil {
		return nil, nil, err
	}
	if h.o.OpenStore != nil {
		return h.o.OpenStore(name)
	}
	s, err := store.OpenDirectoryOptions(filepath.Join(h.dir.path, name, stateName), h.storeOptions(name))
	if err != nil {
		return nil, nil, err
	}
	return s, s, nil
}

func (h *Host) storeOptions(name string) store.Options {
	if h.o.StoreOptions == nil {
		return store.Options{}
	}
	return h.o.StoreOptions(name)
}

// List returns what is known of all instances, by name, but what they were manufactured
// with.
func (h *Host) List() []Info {
	list := []Info{}
	for _, i := range h.all() {
		info := i.info()
		info.Manufactured = nil
		list = append(list, info)
	}
	return list
}

// Show returns what is known of an instance.
func (h *Host) Show(name string) (Info, error) {
	i, err := h.find(name)
	if err != nil {
		return Info{}, err
	}
	return i.info(), nil
}

// Start starts an instance, now and whenever the host is. That it runs is no error.
func (h *Host) Start(ctx context.Context, name string) error {
	i, release, err := h.acquire(ctx, name)
	if err != nil {
		return err
	}
	defer release()
	if err := i.want(true); err != nil {
		return err
	}
	return i.start()
}

// Stop stops an instance in order, and leaves it stopped. That it does not run is no
// error. Clients are cut off.
func (h *Host) Stop(ctx context.Context, name string) error {
	i, release, err := h.acquire(ctx, name)
	if err != nil {
		return err
	}
	defer release()
	if err := i.want(false); err != nil {
		return err
	}
	return i.stop(ctx)
}
