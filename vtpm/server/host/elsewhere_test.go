package host_test

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/bootseal/bootseal/vtpm"
	"github.com/bootseal/bootseal/vtpm/server/host"
	"github.com/bootseal/bootseal/vtpm/store"
)

// shared is a place where the hosts of several machines keep states, as etcd: below it
// there are directories. What is open is lost when the test says so.
type shared struct {
	dir  string
	lose map[string]context.CancelCauseFunc
}

type sharedState struct {
	*store.Directory
	lost context.Context
}

func (s sharedState) Lost() context.Context { return s.lost }

func newShared(t *testing.T) *shared {
	return &shared{shortDir(t), make(map[string]context.CancelCauseFunc)}
}

func (s *shared) options() host.Options {
	return host.Options{OpenStore: func(name string) (vtpm.Store, io.Closer, error) {
		d, err := store.OpenDirectory(filepath.Join(s.dir, name))
		if err != nil {
			return nil, nil, err
		}
		lost, cancel := context.WithCancelCause(context.Background())
		s.lose[name] = cancel
		return d, sharedState{d, lost}, nil
	}}
}

// A state that hosts share goes from one to the other. It is not made anew where it is, and
// goes only when it is removed.
func TestAdopt(t *testing.T) {
	place := newShared(t)
	first, second := open(t, shortDir(t), place.options()), open(t, shortDir(t), place.options())
	c := dial(t, create(t, first, "vm0"))
	define(t, c)
	name := ekName(t, c)

	if _, err := second.Create(t.Context(), "vm0", host.Spec{Adopt: true}); err == nil {
		t.Error("a state was adopted that another host has open")
	}
	if err := first.Stop(t.Context(), "vm0"); err != nil {
		t.Fatal(err)
	}
	if _, err := second.Create(t.Context(), "vm0", host.Spec{}); err == nil || !strings.Contains(err.Error(), "state already") {
		t.Errorf("a TPM in the place of another one: %v", err)
	}
	if _, err := second.Create(t.Context(), "none", host.Spec{Adopt: true}); err == nil || !strings.Contains(err.Error(), "state is gone") {
		t.Errorf("a state was adopted that is not there: %v", err)
	}
	if err := first.Remove(t.Context(), "vm0", host.Removal{KeepState: true}); err != nil {
		t.Fatal(err)
	}
	adopted, err := second.Create(t.Context(), "vm0", host.Spec{Adopt: true, PowerOn: true, Start: true})
	if err != nil {
		t.Fatal(err)
	}
	c = dial(t, adopted)
	if ekName(t, c) != name {
		t.Error("the adopted TPM has another endorsement key")
	}
	if n, err := increment(c); n != 1 || err != nil {
		t.Errorf("counter %d, %v", n, err)
	}
	if err := second.Remove(t.Context(), "vm0", host.Removal{Force: true}); err != nil {
		t.Fatal(err)
	}
	if _, err := second.Create(t.Context(), "vm0", host.Spec{Adopt: true}); err == nil {
		t.Error("a removed state was adopted")
	}
	create(t, second, "vm0")
}

// A state that was to be adopted stays where it is when that does not succeed.
func TestAdoptFails(t *testing.T) {
	place := newShared(t)
	first := open(t, shortDir(t), place.options())
	create(t, first, "vm0")
	if err := first.Remove(t.Context(), "vm0", host.Removal{Force: true, KeepState: true}); err != nil {
		t.Fatal(err)
	}
	dir, o := shortDir(t), place.options()
	openStore := o.OpenStore
	o.OpenStore = func(name string) (vtpm.Store, io.Closer, error) {
		// From now on the configuration cannot be written.
		if err := os.MkdirAll(filepath.Join(dir, name, "instance.json.new", "in the way"), 0o700); err != nil {
			t.Error(err)
		}
		return openStore(name)
	}
	if _, err := open(t, dir, o).Create(t.Context(), "vm0", host.Spec{Adopt: true}); err == nil {
		t.Error("adopted without a configuration")
	}
	if _, err := first.Create(t.Context(), "vm0", host.Spec{Adopt: true}); err != nil {
		t.Errorf("the state after that: %v", err)
	}
}

// A host with its states in directories has none to adopt, and none to keep.
func TestAdoptInDirectories(t *testing.T) {
	h := open(t, shortDir(t), host.Options{})
	if _, err := h.Create(t.Context(), "vm0", host.Spec{Adopt: true}); !errors.Is(err, host.ErrSpec) {
		t.Errorf("adopt: %v", err)
	}
	create(t, h, "vm0")
	if err := h.Remove(t.Context(), "vm0", host.Removal{Force: true, KeepState: true}); !errors.Is(err, host.ErrState) {
		t.Errorf("remove and keep the state: %v", err)
	}
}

// An instance whose state is somebody else's ends at once, and the others go on.
func TestLostState(t *testing.T) {
	place := newShared(t)
	h := open(t, shortDir(t), place.options())
	lost, good := create(t, h, "lost"), create(t, h, "good")
	c := dial(t, lost)
	place.lose["lost"](errors.New("the lease has expired"))
	if err := c.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Read(make([]byte, 1)); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("a client of a lost state is still connected: %v", err)
	}
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) {
		info, err := h.Show("lost")
		if err != nil {
			t.Fatal(err)
		}
		if info.State == host.StateFailed && strings.Contains(info.Reason, "the lease has expired") {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("after the state was lost: %+v", info)
		}
	}
	alive(t, good)
	if err := h.Start(t.Context(), "lost"); err != nil {
		t.Errorf("start it again: %v", err)
	}
	alive(t, lost)
}
