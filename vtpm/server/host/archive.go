package host

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/bootseal/bootseal/vtpm"
)

// ArchiveVersion is the version of an Archive that is made.
const ArchiveVersion = 1

// Archive is an instance as one value: it holds all of its TPM's secrets. Who makes an
// instance of it and goes on with the old one has the same TPM twice.
type Archive struct {
	Version      int             `json:"version"`
	Name         string          `json:"name"` // of the instance that it was
	Profile      string          `json:"profile"`
	Layout       string          `json:"layout,omitempty"`
	Created      time.Time       `json:"created"`
	Exported     time.Time       `json:"exported"`
	Manufactured json.RawMessage `json:"manufactured,omitempty"`
	State        []byte          `json:"state"` // vtpm.PermanentState
}

// Export returns an instance as an archive. One that runs goes on; its archive is its
// state as after a loss of power at that moment.
func (h *Host) Export(ctx context.Context, name string) (*Archive, error) {
	i, release, err := h.acquire(ctx, name)
	if err != nil {
		return nil, err
	}
	defer release()
	state, c, r := i.get()
	if state == StateBroken {
		return nil, fmt.Errorf("%w: %s is broken: %s", ErrState, name, i.info().Reason)
	}
	a := &Archive{
		Version: ArchiveVersion, Name: name, Profile: c.Profile, Layout: c.Layout, Created: c.Created,
		Exported: time.Now().UTC(), Manufactured: c.Manufactured,
	}
	err = contained(func() error {
		if r != nil {
			a.State, err = r.tpm.SaveState(vtpm.PermanentState)
			return err
		}
		t, closer, err := h.openTPM(name, c)
		if err != nil {
			return err
		}
		a.State, err = t.SaveState(vtpm.PermanentState)
		return errors.Join(err, closer.Close())
	})
	if err != nil {
		return nil, fmt.Errorf("export %s: %w", name, err)
	}
	return a, nil
}

// Import makes an instance of an archive. Of the spec profile and layout are the archive's.
func (h *Host) Import(ctx context.Context, name string, a *Archive, spec Spec) (Info, error) {
	if a.Version != ArchiveVersion {
		return Info{}, fmt.Errorf("%w: version %d of an archive is unknown; version %d is known", ErrSpec, a.Version, ArchiveVersion)
	}
	spec.Profile, spec.Layout = a.Profile, a.Layout
	c, err := configOf(spec, a.Created)
	if err != nil {
		return Info{}, err
	}
	c.Manufactured = a.Manufactured
	return h.create(ctx, name, c, spec.Start, func(o vtpm.Options, _ *Config) error {
		t, err := vtpm.New(o)
		if err != nil {
			return err
		}
		return t.RestoreState(vtpm.PermanentState, a.State)
	})
}
