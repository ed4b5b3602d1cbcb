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
	if c.Layout != "" && h.o.Manufacture == nil {
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

// create makes an instance whose TPM fill makes in a store.
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
	c.Incomplete = true
	if err := h.place(name, c); err != nil {
		return Info{}, fmt.Errorf("make the instance %s: %w", name, err)
	}
	err = contained(func() error { return h.fill(ctx, name, &c, fill) })
	if err == nil {
		c.Incomplete, c.Started = false, start
		err = h.dir.writeConfig(name, c)
	}
	if err != nil {
		return Info{}, errors.Join(fmt.Errorf("make the instance %s: %w", name, err), h.discard(name))
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
		return errors.New("there is a TPM's state already where the new one is to be")
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
// with by the next host.
func (h *Host) discard(name string) error {
	if c, err := h.dir.readConfig(name); err == nil && !c.Incomplete {
		c.Incomplete = true
		if err := h.dir.writeConfig(name, c); err != nil {
			return err
		}
	}
	if h.o.OpenStore != nil {
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

// Remove removes an instance and its state, for good. One that runs is refused, unless
// force stops it.
func (h *Host) Remove(ctx context.Context, name string, force bool) error {
	i, release, err := h.acquire(ctx, name)
	if err != nil {
		return err
	}
	defer release()
	if _, _, r := i.get(); r != nil && !force {
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
	} else if err := contained(func() error { return h.discard(name) }); err != nil {
		i.set(StateBroken, err)
		return fmt.Errorf("remove %s: %w", name, err)
	}
	h.forget(i)
	h.report(EventRemoved, name, nil)
	return nil
}
