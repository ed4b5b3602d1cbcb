package host

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"time"

	"github.com/bootseal/bootseal/vtpm"
)

// Create makes an instance. After an error, or the end of the process in the middle, there
// is none; only when it was made and does not start it is there, and Start says why.
func (h *Host) Create(ctx context.Context, name string, spec Spec) (Info, error) {
	c, err := configOf(spec, time.Now().UTC())
	if err != nil {
		return Info{}, err
	}
	switch {
	case spec.Adopt && h.o.OpenStore == nil:
		return Info{}, fmt.Errorf("%w: this host keeps states in directories, where there is none to adopt", ErrSpec)
	case spec.Adopt:
		c.Layout = ""
		return h.create(ctx, name, c, spec.Start, nil)
	case c.Layout != "" && h.o.Manufacture == nil:
		return Info{}, fmt.Errorf("%w: this host makes no TPM with the layout %q", ErrSpec, c.Layout)
	}
	return h.create(ctx, name, c, spec.Start, func(o vtpm.Options, c *Config) (err error) {
		if c.Layout == "" {
			_, err = vtpm.New(o) // which has its seeds in the store
			return err
		}
		c.Manufactured, err = h.o.Manufacture(ctx, o, name, c.Layout)
		return err
	})
}

// create makes an instance whose TPM fill makes in an empty store; nil: there is one.
func (h *Host) create(ctx context.Context, name string, c Config, start bool, fill func(vtpm.Options, *Config) error) (Info, error) {
	i, err := h.reserve(name)
	if err != nil {
		return Info{}, err
	}
	defer func() { <-i.op }()
	made := false
	defer func() {
		if !made {
			h.forget(i)
		}
	}()
	// Whose a state elsewhere is, is known when it has been opened.
	c.Incomplete, c.KeepState = true, h.o.OpenStore != nil
	if err := h.place(name, c); err != nil {
		return Info{}, fmt.Errorf("make the instance %s: %w", name, err)
	}
	err = contained(func() error {
		if fill == nil {
			return h.probe(name, c)
		}
		return h.fill(ctx, name, &c, fill)
	})
	keep := c.KeepState
	if err == nil {
		c.Incomplete, c.KeepState, c.Started = false, false, start
		err = h.dir.writeConfig(name, c)
	}
	if err != nil {
		return Info{}, errors.Join(fmt.Errorf("make the instance %s: %w", name, err), h.discard(name, keep))
	}
	made = true
	i.mu.Lock()
	i.config, i.state = c, StateStopped
	i.mu.Unlock()
	h.report(EventCreated, name, nil)
	if start {
		err = i.start()
	}
	return i.info(), err
}

// reserve takes the name for a new instance, which it returns acquired.
func (h *Host) reserve(name string) (*instance, error) {
	if err := CheckName(name); err != nil {
		return nil, err
	}
	if err := h.checkSocketPath(name); err != nil {
		return nil, err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		return nil, ErrClosed
	}
	if h.instances[name] != nil {
		return nil, fmt.Errorf("%w: %s", ErrExists, name)
	}
	i := newInstance(h, name)
	i.state = StateCreating
	i.op <- struct{}{}
	h.instances[name] = i
	return i, nil
}

// forget gives a name free.
func (h *Host) forget(i *instance) {
	i.set(StateRemoved, nil)
	i.taps.closeAll()
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.instances, i.name)
}

// place makes the instance's directory, with a configuration that says that it is not
// there yet.
func (h *Host) place(name string, c Config) error {
	if err := h.dir.root.Mkdir(name, 0o700); err != nil {
		return err
	}
	// The umask has no say in what others need to reach the socket.
	err := h.dir.root.Chmod(name, dirMode)
	if err == nil {
		err = h.dir.writeConfig(name, c)
	}
	if err == nil {
		err = h.dir.sync(".")
	}
	if err != nil {
		return errors.Join(err, h.dir.remove(name))
	}
	return nil
}

// errOccupied is why a TPM is not made where there is one.
var errOccupied = errors.New("there is a TPM's state already where the new one is to be; adopt it, or remove it there")

// probe opens a TPM that is there, once.
func (h *Host) probe(name string, c Config) error {
	_, closer, err := h.openTPM(name, c)
	if err != nil {
		return err
	}
	return closer.Close()
}

// fill opens an empty store and has the TPM made in it.
func (h *Host) fill(ctx context.Context, name string, c *Config, fill func(vtpm.Options, *Config) error) (err error) {
	s, closer, err := h.openStore(name)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closer.Close()) }()
	records, err := s.Load()
	if err != nil {
		return err
	}
	if len(records) != 0 {
		return errOccupied
	}
	if c.KeepState {
		c.KeepState = false
		if err := h.dir.writeConfig(name, *c); err != nil {
			return err
		}
	}
	o, err := h.options(s, *c)
	if err != nil {
		return err
	}
	if err := fill(o, c); err != nil {
		return err
	}
	return ctx.Err()
}

// discard removes an instance that does not run, so that what is interrupted is gone on
// with by the next host. A state that is not in the instance's directory can be kept.
func (h *Host) discard(name string, keep bool) error {
	if c, err := h.dir.readConfig(name); err == nil && (!c.Incomplete || c.KeepState != keep) {
		c.Incomplete, c.KeepState = true, keep
		if err := h.dir.writeConfig(name, c); err != nil {
			return err
		}
	}
	if h.o.OpenStore != nil {
		if keep {
			return h.dir.remove(name)
		}
		if err := h.erase(name); err != nil {
			return err
		}
	} else if c, ok := h.storeOptions(name).Counter.(interface{ Retire() error }); ok {
		// So that there can be another instance of the name.
		if err := c.Retire(); err != nil {
			return err
		}
	}
	return h.dir.remove(name)
}

// erase removes a state that is not in the instance's directory.
func (h *Host) erase(name string) (err error) {
	s, closer, err := h.openStore(name)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closer.Close()) }()
	records, err := s.Load()
	if err != nil || len(records) == 0 {
		return err
	}
	for record := range records {
		records[record] = nil
	}
	return s.Commit(records)
}

// Removal says how an instance is removed.
type Removal struct {
	Force     bool // even if it runs
	KeepState bool // leave the state in Options.OpenStore's store, for another host
}

// Remove removes an instance and its state, for good.
func (h *Host) Remove(ctx context.Context, name string, how Removal) error {
	if how.KeepState && h.o.OpenStore == nil {
		return fmt.Errorf("%w: the state of %s is in its directory, and goes with it", ErrState, name)
	}
	i, release, err := h.acquire(ctx, name)
	if err != nil {
		return err
	}
	defer release()
	if _, _, r := i.get(); r != nil && !how.Force {
		return fmt.Errorf("%w: %s is running", ErrState, name)
	}
	if err := i.stop(ctx); err != nil {
		return err
	}
	if info, err := h.dir.root.Lstat(name); err == nil && !info.IsDir() {
		// A link or file that somebody put there: what it stands for is not ours.
		err = h.dir.root.Remove(name)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("remove %s: %w", filepath.Join(h.dir.path, name), err)
		}
	} else if err := contained(func() error { return h.discard(name, how.KeepState) }); err != nil {
		i.set(StateBroken, err)
		return fmt.Errorf("remove %s: %w", name, err)
	}
	h.forget(i)
	h.report(EventRemoved, name, nil)
	return nil
}
