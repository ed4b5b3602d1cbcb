package host_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/bootseal/bootseal/vtpm"
	"github.com/bootseal/bootseal/vtpm/server/host"
	"github.com/bootseal/bootseal/vtpm/store"
	"github.com/google/go-tpm/tpm2"
	"github.com/google/go-tpm/tpm2/transport"
)

// open returns a host that is closed with the test.
func open(t testing.TB, dir string, o host.Options) *host.Host {
	t.Helper()
	h, err := host.Open(dir, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closeHost(t, h) })
	return h
}

func closeHost(t testing.TB, h *host.Host) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := h.Close(ctx); err != nil && !errors.Is(err, fs.ErrClosed) {
		t.Errorf("close the host: %v", err)
	}
}

// shortDir returns a directory whose path leaves room for the name of a socket.
func shortDir(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "host")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// create makes an instance that is on, and returns it.
func create(t testing.TB, h *host.Host, name string) host.Info {
	t.Helper()
	info, err := h.Create(t.Context(), name, host.Spec{PowerOn: true, Start: true})
	if err != nil {
		t.Fatal(err)
	}
	return info
}

// client is a client of an instance's data channel, for go-tpm.
type client struct {
	net.Conn
	t testing.TB
}

func dial(t testing.TB, info host.Info) *client {
	t.Helper()
	conn, err := net.Dial("unix", info.Data)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return &client{conn, t}
}

func (c *client) Send(cmd []byte) ([]byte, error) {
	if err := c.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		return nil, err
	}
	if _, err := c.Write(cmd); err != nil {
		return nil, err
	}
	buf := make([]byte, 4096)
	n, err := io.ReadAtLeast(c, buf, 10)
	for err == nil && n < int(binary.BigEndian.Uint32(buf[2:])) {
		var m int
		m, err = c.Read(buf[n:])
		n += m
	}
	return buf[:n], err
}

var getRandom = []byte{0x80, 0x01, 0, 0, 0, 12, 0, 0, 0x01, 0x7B, 0, 8}

// alive fails the test unless the instance answers a new client.
func alive(t testing.TB, info host.Info) {
	t.Helper()
	c := dial(t, info)
	defer c.Close()
	response, err := c.Send(getRandom)
	if err != nil || len(response) != 20 {
		t.Errorf("%s: TPM2_GetRandom: %x, %v", info.Name, response, err)
	}
}

const counterIndex = tpm2.TPMHandle(0x01500001)

// define makes the counter that the tests count with.
func define(t testing.TB, tpm transport.TPM) {
	t.Helper()
	_, err := (tpm2.NVDefineSpace{
		AuthHandle: tpm2.TPMRHOwner,
		PublicInfo: tpm2.New2B(tpm2.TPMSNVPublic{
			NVIndex: counterIndex, NameAlg: tpm2.TPMAlgSHA256, DataSize: 8,
			Attributes: tpm2.TPMANV{OwnerWrite: true, OwnerRead: true, AuthRead: true, AuthWrite: true, NT: tpm2.TPMNTCounter, NoDA: true},
		}),
	}).Execute(tpm)
	if err != nil {
		t.Fatal(err)
	}
}

// increment counts, and returns the counter's value.
func increment(tpm transport.TPM) (uint64, error) {
	public, err := (tpm2.NVReadPublic{NVIndex: counterIndex}).Execute(tpm)
	if err != nil {
		return 0, err
	}
	index := tpm2.NamedHandle{Handle: counterIndex, Name: public.NVName}
	if _, err := (tpm2.NVIncrement{AuthHandle: tpm2.TPMRHOwner, NVIndex: index}).Execute(tpm); err != nil {
		return 0, err
	}
	out, err := (tpm2.NVRead{AuthHandle: tpm2.TPMRHOwner, NVIndex: index, Size: 8}).Execute(tpm)
	if err != nil {
		return 0, err
	}
	return binary.BigEndian.Uint64(out.Data.Buffer), nil
}

// ekName returns the name of the TPM's endorsement key, which is that of no other TPM.
func ekName(t testing.TB, tpm transport.TPM) string {
	t.Helper()
	out, err := (tpm2.CreatePrimary{PrimaryHandle: tpm2.TPMRHEndorsement, InPublic: tpm2.New2B(tpm2.ECCEKTemplate)}).Execute(tpm)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := (tpm2.FlushContext{FlushHandle: out.ObjectHandle}).Execute(tpm); err != nil {
		t.Fatal(err)
	}
	return string(out.Name.Buffer)
}

func TestCheckName(t *testing.T) {
	for _, name := range []string{"a", "0", "vm0", "node-1.example", "a_b", strings.Repeat("x", 63)} {
		if err := host.CheckName(name); err != nil {
			t.Error(err)
		}
	}
	for _, name := range []string{"", ".", "..", "-a", ".a", "_a", "A", "a/b", "a b", "a\x00", "ä", strings.Repeat("x", 64)} {
		if err := host.CheckName(name); !errors.Is(err, host.ErrName) {
			t.Errorf("%q: %v", name, err)
		}
	}
}

// An instance comes, is used, stops, starts and goes.
func TestLife(t *testing.T) {
	h := open(t, shortDir(t), host.Options{})
	info := create(t, h, "vm0")
	if info.State != host.StateRunning || info.Profile != "pcclient" || !info.Wanted {
		t.Errorf("created: %+v", info)
	}
	c := dial(t, info)
	define(t, c)
	if n, err := increment(c); n != 1 || err != nil {
		t.Errorf("counter %d, %v", n, err)
	}
	if err := h.Start(t.Context(), "vm0"); err != nil {
		t.Errorf("start what runs: %v", err)
	}
	if err := h.Stop(t.Context(), "vm0"); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Send(getRandom); err == nil {
		t.Error("a client of a stopped instance is served")
	}
	if _, err := net.Dial("unix", info.Data); err == nil {
		t.Error("a stopped instance has a socket")
	}
	if err := h.Start(t.Context(), "vm0"); err != nil {
		t.Fatal(err)
	}
	if n, err := increment(dial(t, info)); n != 2 || err != nil {
		t.Errorf("counter %d after a restart, %v", n, err)
	}
	if err := h.Remove(t.Context(), "vm0", host.Removal{}); !errors.Is(err, host.ErrState) {
		t.Errorf("remove what runs: %v", err)
	}
	if err := h.Remove(t.Context(), "vm0", host.Removal{Force: true}); err != nil {
		t.Fatal(err)
	}
	if _, err := h.Show("vm0"); !errors.Is(err, host.ErrNotFound) {
		t.Errorf("show what was removed: %v", err)
	}
	if _, err := os.Lstat(filepath.Join(h.Dir(), "vm0")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the directory of what was removed: %v", err)
	}
}

// Instances have nothing in common: neither keys, nor what was defined, nor contexts.
func TestInstancesAreApart(t *testing.T) {
	h := open(t, shortDir(t), host.Options{})
	a, b := dial(t, create(t, h, "a")), dial(t, create(t, h, "b"))
	if ekName(t, a) == ekName(t, b) {
		t.Error("two instances have the same endorsement key")
	}
	define(t, a)
	if _, err := increment(b); err == nil {
		t.Error("an index of one instance is another's, too")
	}
	key, err := (tpm2.CreatePrimary{PrimaryHandle: tpm2.TPMRHOwner, InPublic: tpm2.New2B(tpm2.ECCSRKTemplate)}).Execute(a)
	if err != nil {
		t.Fatal(err)
	}
	saved, err := (tpm2.ContextSave{SaveHandle: key.ObjectHandle}).Execute(a)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := (tpm2.ContextLoad{Context: saved.Context}).Execute(b); !errors.Is(err, tpm2.TPMRCIntegrity) {
		t.Errorf("load a context of another instance: %v", err)
	}
}

// Several clients on several instances at once. Run with -race.
func TestManyAtOnce(t *testing.T) {
	h := open(t, shortDir(t), host.Options{})
	const instances, rounds = 6, 8
	var wg sync.WaitGroup
	for n := range instances {
		wg.Go(func() {
			info, err := h.Create(t.Context(), fmt.Sprintf("vm%d", n), host.Spec{PowerOn: true, Start: true})
			if err != nil {
				t.Error(err)
				return
			}
			c := dial(t, info)
			define(t, c)
			var clients sync.WaitGroup
			for range 2 {
				clients.Go(func() {
					own := dial(t, info)
					for range rounds {
						if _, err := increment(own); err != nil {
							t.Error(err)
						}
						h.List()
					}
				})
			}
			clients.Wait()
			if n, err := increment(c); n != 2*rounds+1 || err != nil {
				t.Errorf("counter %d, %v", n, err)
			}
		})
	}
	wg.Wait()
	stats := h.Stats()
	if stats.States[host.StateRunning] != instances || len(stats.Instances) != instances {
		t.Errorf("instances: %v", stats.States)
	}
	for _, c := range stats.Commands {
		if c.Code == 0x134 && c.Results[host.Success] != instances*(2*rounds+1) { // TPM2_NV_Increment
			t.Errorf("counted increments: %d", c.Results[host.Success])
		}
	}
	if stats.Commits.Count() < instances*2*rounds || stats.CommitFailures != 0 {
		t.Errorf("commits: %+v, failures %d", stats.Commits, stats.CommitFailures)
	}
}

// What was running is started with the next host, what was stopped is not.
func TestRestart(t *testing.T) {
	dir := shortDir(t)
	h := open(t, dir, host.Options{})
	info := create(t, h, "on")
	create(t, h, "off")
	define(t, dial(t, info))
	if err := h.Stop(t.Context(), "off"); err != nil {
		t.Fatal(err)
	}
	closeHost(t, h)
	h = open(t, dir, host.Options{})
	if err := h.StartAll(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n, err := increment(dial(t, info)); n != 1 || err != nil {
		t.Errorf("counter %d after a restart, %v", n, err)
	}
	if off, err := h.Show("off"); err != nil || off.State != host.StateStopped {
		t.Errorf("%+v, %v", off, err)
	}
}

// Two hosts never have the same directory.
func TestDirectoryIsLocked(t *testing.T) {
	dir := shortDir(t)
	open(t, dir, host.Options{})
	if _, err := host.Open(dir, host.Options{}); err == nil || !strings.Contains(err.Error(), "another process hosts") {
		t.Errorf("a second host: %v", err)
	}
}

// The sockets have the mode that was asked for; the state is for the host alone.
func TestModes(t *testing.T) {
	h := open(t, shortDir(t), host.Options{})
	info, err := h.Create(t.Context(), "vm0", host.Spec{Mode: "0606", Start: true})
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]fs.FileMode{
		info.Data: 0o606, info.Control: 0o606,
		filepath.Join(h.Dir(), "vm0"):                  0o711,
		filepath.Join(h.Dir(), "vm0", "state"):         0o700,
		filepath.Join(h.Dir(), "vm0", "instance.json"): 0o600,
	} {
		if got, err := os.Lstat(path); err != nil || got.Mode().Perm() != want {
			t.Errorf("%s: %v, %v", path, got.Mode(), err)
		}
	}
}

// What cannot be is refused, and leaves nothing behind.
func TestCreateRefuses(t *testing.T) {
	h := open(t, shortDir(t), host.Options{})
	for _, spec := range []host.Spec{
		{Profile: "tpm12"}, {Mode: "rw"}, {Mode: "1777"}, {Owner: "no such user"}, {Group: "no such group"}, {Layout: "ek"},
	} {
		if _, err := h.Create(t.Context(), "vm0", spec); !errors.Is(err, host.ErrSpec) {
			t.Errorf("%+v: %v", spec, err)
		}
	}
	if _, err := h.Create(t.Context(), "../vm0", host.Spec{}); !errors.Is(err, host.ErrName) {
		t.Errorf("a name that leads out of the directory: %v", err)
	}
	if got := h.List(); len(got) != 0 {
		t.Errorf("left behind: %+v", got)
	}
	create(t, h, "vm0")
	if _, err := h.Create(t.Context(), "vm0", host.Spec{}); !errors.Is(err, host.ErrExists) {
		t.Errorf("a second instance with the name: %v", err)
	}
}

// A path that no client could connect to is refused when the instance is made.
func TestLongSocketPath(t *testing.T) {
	dir := filepath.Join(shortDir(t), strings.Repeat("d", 40))
	h := open(t, dir, host.Options{})
	if _, err := h.Create(t.Context(), strings.Repeat("x", 60), host.Spec{}); !errors.Is(err, host.ErrSpec) {
		t.Errorf("a socket's path of more than 107 bytes: %v", err)
	}
}

// The layout is for the hook, and what it says of the TPM is kept. When it fails there is
// no instance.
func TestManufacture(t *testing.T) {
	dir := shortDir(t)
	bad := errors.New("the CA is away")
	h := open(t, dir, host.Options{Manufacture: func(_ context.Context, o vtpm.Options, name, layout string) (json.RawMessage, error) {
		if layout == "bad" {
			return nil, bad
		}
		if layout == "panic" {
			panic("a bug in the factory")
		}
		tpm, err := vtpm.New(o)
		if err != nil {
			return nil, err
		}
		tpm.Execute(0, []byte{0x80, 0x01, 0, 0, 0, 12, 0, 0, 0x01, 0x44, 0, 0})
		define(t, tpm)
		return json.RawMessage(`{"name":"` + name + `"}`), nil
	}})
	if _, err := h.Create(t.Context(), "vm0", host.Spec{Layout: "bad"}); !errors.Is(err, bad) {
		t.Errorf("a factory that fails: %v", err)
	}
	if _, err := h.Create(t.Context(), "vm0", host.Spec{Layout: "panic"}); err == nil || !strings.Contains(err.Error(), "a bug in the factory") {
		t.Errorf("a factory that panics: %v", err)
	}
	info, err := h.Create(t.Context(), "vm0", host.Spec{Layout: "good", PowerOn: true, Start: true})
	if err != nil {
		t.Fatal(err)
	}
	if string(info.Manufactured) != `{"name":"vm0"}` || info.Layout != "good" {
		t.Errorf("%+v", info)
	}
	if n, err := increment(dial(t, info)); n != 1 || err != nil {
		t.Errorf("counter %d, %v", n, err)
	}
}

// An archive makes the same TPM again, from an instance that runs and from one that does not.
func TestArchive(t *testing.T) {
	h := open(t, shortDir(t), host.Options{StoreOptions: func(name string) store.Options {
		return store.Options{Key: bytes.Repeat([]byte{1}, store.KeySize), Instance: name}
	}})
	info := create(t, h, "vm0")
	c := dial(t, info)
	define(t, c)
	if _, err := increment(c); err != nil {
		t.Fatal(err)
	}
	name := ekName(t, c)
	for _, state := range []string{"running", "stopped"} {
		a, err := h.Export(t.Context(), "vm0")
		if err != nil {
			t.Fatal(err)
		}
		copied, err := h.Import(t.Context(), "copy-of-"+state, a, host.Spec{PowerOn: true, Start: true})
		if err != nil {
			t.Fatal(err)
		}
		c := dial(t, copied)
		if ekName(t, c) != name {
			t.Errorf("%s: the copy has another endorsement key", state)
		}
		if n, err := increment(c); n != 2 || err != nil {
			t.Errorf("%s: counter %d, %v", state, n, err)
		}
		if err := h.Stop(t.Context(), "vm0"); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := h.Import(t.Context(), "bad", &host.Archive{Version: 1, Profile: "pcclient", State: []byte("no state")}, host.Spec{}); err == nil {
		t.Error("an archive without a state was taken")
	}
	if _, err := h.Show("bad"); !errors.Is(err, host.ErrNotFound) {
		t.Errorf("what was not made: %v", err)
	}
}

// Who watches an instance sees its commands. Who is too slow loses some, and the instance
// no time.
func TestTap(t *testing.T) {
	h := open(t, shortDir(t), host.Options{})
	info := create(t, h, "vm0")
	tap, err := h.Tap("vm0", 2)
	if err != nil {
		t.Fatal(err)
	}
	c := dial(t, info)
	for range 5 {
		if _, err := c.Send(getRandom); err != nil {
			t.Fatal(err)
		}
	}
	if x := <-tap.C; len(x.Command) != 12 || len(x.Response) != 20 || x.Took <= 0 {
		t.Errorf("%+v", x)
	}
	if tap.Dropped() != 3 || h.Stats().Dropped != 3 {
		t.Errorf("dropped %d", tap.Dropped())
	}
	if err := h.Remove(t.Context(), "vm0", host.Removal{Force: true}); err != nil {
		t.Fatal(err)
	}
	<-tap.C
	if _, open := <-tap.C; open {
		t.Error("a removed instance is watched")
	}
	tap.Close()
}
