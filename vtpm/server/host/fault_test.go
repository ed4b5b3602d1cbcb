package host_test

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/bootseal/bootseal/vtpm"
	"github.com/bootseal/bootseal/vtpm/server/host"
	"github.com/bootseal/bootseal/vtpm/store"
	"github.com/google/go-tpm/tpm2"
)

// brittleStore is a store in a directory that fails, or panics, when it is told to.
type brittleStore struct {
	*store.Directory
	fail *atomic.Pointer[func() error]
}

func (b brittleStore) Commit(changes map[string][]byte) error {
	if f := b.fail.Load(); f != nil {
		if err := (*f)(); err != nil {
			return err
		}
	}
	return b.Directory.Commit(changes)
}

// brittle returns options for a host in dir whose instance "bad" has a brittle store.
func brittle(dir string) (host.Options, *atomic.Pointer[func() error]) {
	fail := new(atomic.Pointer[func() error])
	return host.Options{OpenStore: func(name string) (vtpm.Store, io.Closer, error) {
		d, err := store.OpenDirectory(filepath.Join(dir, name))
		if err != nil {
			return nil, nil, err
		}
		if name == "bad" {
			return brittleStore{d, fail}, d, nil
		}
		return d, d, nil
	}}, fail
}

// events collects what a host reports.
type events struct {
	mu   sync.Mutex
	list []host.Event
}

func (e *events) add(event host.Event) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.list = append(e.list, event)
}

// of returns the errors that were reported of an instance, as one.
func (e *events) of(name string) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	var errs []error
	for _, event := range e.list {
		if event.Instance == name && event.Err != nil {
			errs = append(errs, event.Err)
		}
	}
	return errors.Join(errs...)
}

// A store without room makes commands of its instance answer so, and nothing else. With
// room again the instance goes on.
func TestFailingStore(t *testing.T) {
	o, fail := brittle(shortDir(t))
	h := open(t, shortDir(t), o)
	bad, good := create(t, h, "bad"), create(t, h, "good")
	c := dial(t, bad)
	define(t, c)
	full := func() error { return errors.New("no space left on device") }
	fail.Store(&full)
	if _, err := increment(c); !errors.Is(err, tpm2.TPMRCNVUnavailable) {
		t.Errorf("increment on a full disk: %v", err)
	}
	define(t, dial(t, good))
	alive(t, bad)
	fail.Store(nil)
	if n, err := increment(c); n != 1 || err != nil {
		t.Errorf("counter %d with room again, %v", n, err)
	}
	if got := h.Stats().CommitFailures; got == 0 {
		t.Error("the failed commit was not counted")
	}
}

// A panic in a command is the failure mode of that TPM, until its power is cut; a panic
// outside of a command ends that instance.
func TestPanic(t *testing.T) {
	o, fail := brittle(shortDir(t))
	var seen events
	o.Report = seen.add
	h := open(t, shortDir(t), o)
	bad, good := create(t, h, "bad"), create(t, h, "good")
	c := dial(t, bad)
	define(t, c)
	bug := func() error { panic("a bug below the engine") }
	fail.Store(&bug)
	if _, err := increment(c); err == nil {
		t.Error("a command that panicked was acknowledged")
	}
	if _, err := increment(c); !errors.Is(err, tpm2.TPMRCFailure) {
		t.Errorf("a command after the panic: %v", err)
	}
	if err := seen.of("bad"); err == nil || !strings.Contains(err.Error(), "a bug below the engine") {
		t.Errorf("reported: %v", err)
	}
	alive(t, good)

	// At the next start the panic meets no engine.
	if err := h.Stop(t.Context(), "bad"); err != nil {
		t.Fatal(err)
	}
	fail.Store(nil)
	if err := h.Start(t.Context(), "bad"); err != nil {
		t.Fatal(err)
	}
	if n, err := increment(dial(t, bad)); err != nil || n == 0 {
		t.Errorf("counter %d after the panic, %v", n, err)
	}
	alive(t, good)
}

// panicCloser panics when the instance ends.
type panicCloser struct{}

func (panicCloser) Close() error { panic("a bug in Close") }

func TestPanicAtTheEnd(t *testing.T) {
	dir := shortDir(t)
	var seen events
	var armed atomic.Bool
	h := open(t, shortDir(t), host.Options{Report: seen.add, OpenStore: func(name string) (vtpm.Store, io.Closer, error) {
		d, err := store.OpenDirectory(filepath.Join(dir, name))
		if err != nil {
			return nil, nil, err
		}
		t.Cleanup(func() { d.Close() })
		if name == "bad" && armed.Load() {
			return d, panicCloser{}, nil
		}
		return d, d, nil
	}})
	if _, err := h.Create(t.Context(), "bad", host.Spec{}); err != nil {
		t.Fatal(err)
	}
	good := create(t, h, "good")
	armed.Store(true)
	if err := h.Start(t.Context(), "bad"); err != nil {
		t.Fatal(err)
	}
	if err := h.Stop(t.Context(), "bad"); err != nil {
		t.Fatal(err)
	}
	info, err := h.Show("bad")
	if err != nil || info.State != host.StateFailed || !strings.Contains(info.Reason, "a bug in Close") {
		t.Errorf("after the panic: %+v, %v", info, err)
	}
	alive(t, good)
}

// A client that sends and never reads holds up itself, whatever it asks for.
func TestClientThatNeverReads(t *testing.T) {
	h := open(t, shortDir(t), host.Options{})
	bad, good := create(t, h, "bad"), create(t, h, "good")
	flood := dial(t, bad)
	if err := flood.SetWriteDeadline(time.Now().Add(time.Second)); err != nil {
		t.Fatal(err)
	}
	sent := 0
	for {
		n, err := flood.Write(getRandom)
		sent += n
		if errors.Is(err, os.ErrDeadlineExceeded) {
			break // both directions are full
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("%d bytes of commands are under way", sent)
	alive(t, good)
	alive(t, bad) // another client of the same instance
	if err := h.Stop(t.Context(), "bad"); err != nil {
		t.Fatal(err)
	}
}

// Clients beyond an instance's limit wait there, and nowhere else.
func TestTooManyClients(t *testing.T) {
	h := open(t, shortDir(t), host.Options{})
	bad, good := create(t, h, "bad"), create(t, h, "good")
	for range 40 {
		conn, err := net.Dial("unix", bad.Data)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		if _, err := conn.Write(getRandom[:3]); err != nil { // a command that never ends
			t.Fatal(err)
		}
	}
	alive(t, good)
	if err := h.Stop(t.Context(), "bad"); err != nil {
		t.Fatal(err)
	}
}

// Links and directories of others are not followed, wherever they are.
func TestSymbolicLinks(t *testing.T) {
	elsewhere := t.TempDir()
	for _, link := range []string{"vm0", "vm0/instance.json", "vm0/state"} {
		t.Run(strings.ReplaceAll(link, "/", "-"), func(t *testing.T) {
			dir := shortDir(t)
			h := open(t, dir, host.Options{})
			if _, err := h.Create(t.Context(), "vm0", host.Spec{Start: true}); err != nil {
				t.Fatal(err)
			}
			closeHost(t, h)
			moved := filepath.Join(elsewhere, strings.ReplaceAll(link, "/", "-"))
			if err := os.Rename(filepath.Join(dir, link), moved); err != nil {
				t.Fatal(err)
			}
			if err := os.Symlink(moved, filepath.Join(dir, link)); err != nil {
				t.Fatal(err)
			}
			h = open(t, dir, host.Options{})
			info, err := h.Show("vm0")
			if err != nil || info.State != host.StateBroken || info.Reason == "" {
				t.Errorf("%+v, %v", info, err)
			}
			if err := h.Start(t.Context(), "vm0"); !errors.Is(err, host.ErrState) {
				t.Errorf("start: %v", err)
			}
			if err := h.Remove(t.Context(), "vm0", host.Removal{}); err != nil {
				t.Errorf("remove: %v", err)
			}
			if _, err := os.Stat(moved); err != nil {
				t.Errorf("what the link stood for: %v", err)
			}
		})
	}
}

// A socket's place is taken whatever is there: a link's target stays as it is.
func TestLinkInASocketsPlace(t *testing.T) {
	h := open(t, shortDir(t), host.Options{})
	info, err := h.Create(t.Context(), "vm0", host.Spec{PowerOn: true})
	if err != nil {
		t.Fatal(err)
	}
	target := filepath.Join(t.TempDir(), "target")
	if err := os.WriteFile(target, []byte("of somebody else"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(target, info.Data); err != nil {
		t.Fatal(err)
	}
	if err := h.Start(t.Context(), "vm0"); err != nil {
		t.Fatal(err)
	}
	alive(t, info)
	if got, err := os.Lstat(target); err != nil || got.Mode().Perm() != 0o600 {
		t.Errorf("the link's target: %v, %v", got.Mode(), err)
	}
}

// A directory that others can write to is refused: they could put anything there.
func TestDirectoryOfOthers(t *testing.T) {
	dir := shortDir(t)
	if err := os.Chmod(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	if _, err := host.Open(dir, host.Options{}); err == nil || !strings.Contains(err.Error(), "chmod go-w") {
		t.Errorf("a directory of mode 0777: %v", err)
	}
}

// A state that is gone is an error, and never replaced by a new TPM: its file system may
// not be mounted.
func TestStateIsGone(t *testing.T) {
	h := open(t, shortDir(t), host.Options{})
	if _, err := h.Create(t.Context(), "vm0", host.Spec{}); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(filepath.Join(h.Dir(), "vm0", "state", "state"), filepath.Join(h.Dir(), "saved")); err != nil {
		t.Fatal(err)
	}
	if err := h.Start(t.Context(), "vm0"); err == nil || !strings.Contains(err.Error(), "state is gone") {
		t.Errorf("start without a state: %v", err)
	}
	if info, err := h.Show("vm0"); err != nil || info.State != host.StateFailed {
		t.Errorf("%+v, %v", info, err)
	}
	if err := os.Rename(filepath.Join(h.Dir(), "saved"), filepath.Join(h.Dir(), "vm0", "state", "state")); err != nil {
		t.Fatal(err)
	}
	if err := h.Start(t.Context(), "vm0"); err != nil {
		t.Errorf("start with the state back: %v", err)
	}
}

// A configuration that is damaged breaks one instance, and nothing is removed.
func TestDamagedConfig(t *testing.T) {
	dir := shortDir(t)
	h := open(t, dir, host.Options{})
	good := create(t, h, "good")
	for n, content := range []string{"", "{", `{"version":2}`, `{"version":1,"profile":"pcclient","mode":"9"}`, strings.Repeat(" ", 2<<20)} {
		name := fmt.Sprintf("bad%d", n)
		create(t, h, name)
		if err := os.WriteFile(filepath.Join(dir, name, "instance.json"), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	closeHost(t, h)
	h = open(t, dir, host.Options{})
	if err := h.StartAll(t.Context()); err != nil {
		t.Fatal(err)
	}
	alive(t, good)
	for _, info := range h.List() {
		if info.Name == "good" {
			continue
		}
		if info.State != host.StateBroken {
			t.Errorf("%+v", info)
		}
		if _, err := os.Stat(filepath.Join(dir, info.Name, "state", "state")); err != nil {
			t.Errorf("the state of what is broken: %v", err)
		}
		if _, err := h.Export(t.Context(), info.Name); !errors.Is(err, host.ErrState) {
			t.Errorf("export: %v", err)
		}
	}
}
