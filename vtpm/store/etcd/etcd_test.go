package etcd_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/bootseal/bootseal/internal/etcdtest"
	"github.com/bootseal/bootseal/vtpm"
	"github.com/bootseal/bootseal/vtpm/store"
	"github.com/bootseal/bootseal/vtpm/store/etcd"
	"github.com/bootseal/bootseal/vtpm/vtpmtest"
	"go.etcd.io/etcd/client/pkg/v3/logutil"
	clientv3 "go.etcd.io/etcd/client/v3"
)

var _ vtpm.Store = (*etcd.Store)(nil)

var testKey = bytes.Repeat([]byte("key!"), store.KeySize/4)

// dial returns a client. Each test has a prefix of its own.
func dial(t *testing.T, endpoint string, change ...func(*etcd.Config)) *etcd.Client {
	t.Helper()
	c := etcd.Config{Endpoints: []string{endpoint}, Prefix: t.Name(), TTL: 10 * time.Second}
	for _, f := range change {
		f(&c)
	}
	client, err := etcd.Dial(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	return client
}

// brief is for tests that wait for a lease to run out. Others have a TTL that a busy machine
// does not miss.
func brief(c *etcd.Config) { c.TTL = 2 * time.Second }

func waiting(c *etcd.Config) { c.Wait = 20 * time.Second }

func mustOpen(t *testing.T, c *etcd.Client, name string) *etcd.Store {
	t.Helper()
	s, err := c.Open(t.Context(), name, testKey)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func commit(t *testing.T, s *etcd.Store, changes map[string][]byte) {
	t.Helper()
	if err := s.Commit(changes); err != nil {
		t.Fatal(err)
	}
}

func load(t *testing.T, s *etcd.Store) map[string][]byte {
	t.Helper()
	records, err := s.Load()
	if err != nil {
		t.Fatal(err)
	}
	return records
}

func same(a, b map[string][]byte) bool { return maps.EqualFunc(a, b, bytes.Equal) }

// raw is etcd's own client, to look and to do what nobody should.
func raw(t *testing.T, endpoint string) *clientv3.Client {
	t.Helper()
	quiet, err := logutil.CreateDefaultZapLogger(5)
	if err != nil {
		t.Fatal(err)
	}
	c, err := clientv3.New(clientv3.Config{Endpoints: []string{endpoint}, Logger: quiet})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// A committed change is there when the state is opened again, whatever became of the
// process, and a deleted record is not.
func TestCommitSurvives(t *testing.T) {
	t.Parallel()
	e := etcdtest.Start(t)
	c := dial(t, e.Endpoint)
	s := mustOpen(t, c, "vm0")
	want := map[string][]byte{}
	change := func(changes map[string][]byte) {
		t.Helper()
		commit(t, s, changes)
		for name, value := range changes {
			if want[name] = value; value == nil {
				delete(want, name)
			}
		}
	}
	// Frames, generations when there are many of them, and states of several chunks.
	for i := range 1200 {
		change(map[string][]byte{"counter": fmt.Append(nil, i), fmt.Sprint("record ", i%7): bytes.Repeat([]byte{byte(i)}, i%900)})
	}
	change(map[string][]byte{"large": bytes.Repeat([]byte("l"), 3<<20), "empty": {}, "record 1": nil})
	change(map[string][]byte{"record 2": nil})
	s.Close()
	if _, err := s.Load(); !errors.Is(err, store.ErrClosed) {
		t.Errorf("closed: %v", err)
	}
	s = mustOpen(t, c, "vm0")
	if !same(load(t, s), want) {
		t.Error("records are lost")
	}
	change(map[string][]byte{"large": nil})
	for i := range 3 {
		change(map[string][]byte{"after": {byte(i)}})
	}
	s.Close()
	if s = mustOpen(t, c, "vm0"); !same(load(t, s), want) {
		t.Error("records are lost after the large one was removed")
	}
}

// A TPM works on it, and another host's TPM is the same one.
func TestTPM(t *testing.T) {
	t.Parallel()
	e := etcdtest.Start(t)
	first, second := dial(t, e.Endpoint), dial(t, e.Endpoint)
	s := mustOpen(t, first, "vm0")
	vtpmtest.OpenOptions(t, vtpm.Options{Store: s})
	before := load(t, s)
	s.Close()
	s = mustOpen(t, second, "vm0")
	vtpmtest.OpenOptions(t, vtpm.Options{Store: s})
	if !bytes.Equal(before["hierarchies"], load(t, s)["hierarchies"]) {
		t.Error("the seeds changed")
	}
}

// While one has the state nobody else gets it, and is told who has.
func TestOneOwner(t *testing.T) {
	t.Parallel()
	e := etcdtest.Start(t)
	first, second := dial(t, e.Endpoint, brief), dial(t, e.Endpoint)
	s := mustOpen(t, first, "vm0")
	var owned *etcd.OwnedError
	if _, err := second.Open(t.Context(), "vm0", testKey); !errors.As(err, &owned) || owned.Owner.Host == "" || owned.Left <= 0 {
		t.Fatalf("a second owner: %v", err)
	}
	if err := second.Remove(t.Context(), "vm0"); !errors.As(err, &owned) {
		t.Errorf("removed: %v", err)
	}
	mustOpen(t, second, "vm1")
	list, err := first.List(t.Context())
	if err != nil || len(list) != 1 && list[0].Owner == nil {
		t.Errorf("list %v, %v", list, err)
	}
	time.Sleep(5 * time.Second) // more than twice the TTL: the lease is kept alive
	commit(t, s, map[string][]byte{"a": []byte("1")})
	s.Close()
	s = mustOpen(t, second, "vm0")
	if got := load(t, s); string(got["a"]) != "1" {
		t.Errorf("records %q", got)
	}
}

// Many want the state at once: at each moment one of them has it, and nothing that any
// of them was told is lost.
func TestRace(t *testing.T) {
	t.Parallel()
	e := etcdtest.Start(t)
	var owners atomic.Int32
	var all sync.WaitGroup
	const hosts, each = 6, 8
	for host := range hosts {
		c := dial(t, e.Endpoint, waiting)
		all.Go(func() {
			for i := range each {
				s, err := c.Open(context.Background(), "vm0", testKey)
				if err != nil {
					t.Error(err)
					return
				}
				if owners.Add(1) != 1 {
					t.Error("two owners")
				}
				if err := s.Commit(map[string][]byte{fmt.Sprintf("%d/%d", host, i): {1}}); err != nil {
					t.Error(err)
				}
				owners.Add(-1)
				s.Close()
			}
		})
	}
	all.Wait()
	if got := load(t, mustOpen(t, dial(t, e.Endpoint), "vm0")); len(got) != hosts*each {
		t.Errorf("%d records, want %d", len(got), hosts*each)
	}
}

// A state opens with its key and name only, and one that was changed in etcd is refused.
func TestTampering(t *testing.T) {
	t.Parallel()
	e := etcdtest.Start(t)
	c, etcdctl := dial(t, e.Endpoint), raw(t, e.Endpoint)
	for _, name := range []string{"vm0", "vm1"} {
		s := mustOpen(t, c, name)
		for i := range 5 {
			commit(t, s, map[string][]byte{"a": {byte(i)}})
		}
		s.Close()
	}
	r, err := etcdctl.Get(t.Context(), t.Name()+"/vm0/", clientv3.WithPrefix())
	if err != nil || len(r.Kvs) != 6 { // four frames, a snapshot, the head
		t.Fatalf("%d keys: %v", len(r.Kvs), err)
	}
	good := r.Kvs
	put := func(key, value string) {
		t.Helper()
		if _, err := etcdctl.Put(t.Context(), key, value); err != nil {
			t.Fatal(err)
		}
	}
	restore := func() {
		t.Helper()
		if _, err := etcdctl.Delete(t.Context(), t.Name()+"/vm0/", clientv3.WithPrefix()); err != nil {
			t.Fatal(err)
		}
		for _, kv := range good {
			put(string(kv.Key), string(kv.Value))
		}
	}
	refuse := func(what, want string) {
		t.Helper()
		s, err := c.Open(t.Context(), "vm0", testKey)
		if err == nil {
			s.Close()
			t.Errorf("%s: accepted", what)
		} else if !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", what, err)
		}
		restore()
	}
	for i, kv := range good {
		key := string(kv.Key)
		for _, at := range []int{0, 30, 50, 100, len(kv.Value) - 1} {
			bad := bytes.Clone(kv.Value)
			bad[min(at, len(bad)-1)] ^= 1
			put(key, string(bad))
			refuse(fmt.Sprintf("%s changed at %d", key, at), "")
		}
		put(key, string(kv.Value[:len(kv.Value)/2]))
		refuse(key+" cut short", "")
		if _, err := etcdctl.Delete(t.Context(), key); err != nil {
			t.Fatal(err)
		}
		refuse(key+" removed", "damaged")
		put(key, string(good[(i+1)%len(good)].Value))
		refuse(key+" exchanged", "")
	}
	put(string(good[3].Key)+"0", "x")
	refuse("one frame more", "damaged")
	other, err := etcdctl.Get(t.Context(), t.Name()+"/vm1/head")
	if err != nil {
		t.Fatal(err)
	}
	put(t.Name()+"/vm0/head", string(other.Kvs[0].Value))
	refuse("the head of another state", "of another vTPM")
	if _, err := c.Open(t.Context(), "vm0", bytes.Repeat([]byte{1}, store.KeySize)); err == nil || !strings.Contains(err.Error(), "another key") {
		t.Errorf("another key: %v", err)
	}
	if _, err := c.Open(t.Context(), "vm0", nil); err == nil {
		t.Error("opened without a key")
	}
	for _, name := range []string{"", ".counts", "a/b", "a b", strings.Repeat("x", 200)} {
		if _, err := c.Open(t.Context(), name, testKey); err == nil {
			t.Errorf("the name %q was accepted", name)
		}
	}
	mustOpen(t, c, "vm0")
}

// etcd sees neither names of records nor values.
func TestNothingLeaks(t *testing.T) {
	t.Parallel()
	e := etcdtest.Start(t)
	s := mustOpen(t, dial(t, e.Endpoint), "vm0")
	commit(t, s, map[string][]byte{"hierarchies": []byte("secret")})
	commit(t, s, map[string][]byte{"hierarchies": []byte("secret too")})
	r, err := raw(t, e.Endpoint).Get(t.Context(), "", clientv3.WithPrefix())
	if err != nil {
		t.Fatal(err)
	}
	for _, kv := range r.Kvs {
		for _, secret := range []string{"hierarchies", "secret", string(testKey)} {
			if bytes.Contains(kv.Value, []byte(secret)) {
				t.Errorf("%s has %q", kv.Key, secret)
			}
		}
	}
}

// Remove leaves nothing, and Open of what is not there is a new state.
func TestRemove(t *testing.T) {
	t.Parallel()
	e := etcdtest.Start(t)
	c := dial(t, e.Endpoint)
	s := mustOpen(t, c, "vm0")
	commit(t, s, map[string][]byte{"a": []byte("1")})
	s.Close()
	if err := c.Remove(t.Context(), "vm0"); err != nil {
		t.Fatal(err)
	}
	r, err := raw(t, e.Endpoint).Get(t.Context(), "", clientv3.WithPrefix())
	if err != nil || len(r.Kvs) != 0 {
		t.Errorf("%d keys are left: %v", len(r.Kvs), err)
	}
	if got := load(t, mustOpen(t, c, "vm0")); len(got) != 0 {
		t.Errorf("records %q", got)
	}
}

// A counter in etcd counts a state in a directory.
func TestCounter(t *testing.T) {
	t.Parallel()
	e := etcdtest.Start(t)
	c := dial(t, e.Endpoint)
	counter := c.Counter("vm0", testKey)
	if count, err := counter.Read(); err != nil || count != (store.Count{}) {
		t.Fatalf("count %v, %v", count, err)
	}
	dir := t.TempDir()
	o := store.Options{Key: testKey, Instance: "vm0", Counter: counter}
	d, err := store.OpenDirectoryOptions(dir, o)
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	if count, err := counter.Read(); err != nil || count != (store.Count{Value: 2, InUse: true}) {
		t.Errorf("count %v, %v", count, err)
	}
	if err := counter.Advance(1); err == nil {
		t.Error("moved from a value of the past")
	}
	var rollback *store.RollbackError
	if _, err := store.OpenDirectoryOptions(t.TempDir(), o); !errors.As(err, &rollback) || !rollback.Missing {
		t.Errorf("the state is missing: %v", err)
	}
	if _, err := raw(t, e.Endpoint).Put(t.Context(), t.Name()+"/.counts/vm0", "x"); err != nil {
		t.Fatal(err)
	}
	if _, err := counter.Read(); err == nil || !strings.Contains(err.Error(), "changed") {
		t.Errorf("a changed count: %v", err)
	}
}

// States that earlier versions wrote are read, and written on.
func TestUpgrade(t *testing.T) {
	t.Parallel()
	e := etcdtest.Start(t)
	sample, err := os.ReadFile("testdata/state-1.json")
	if err != nil {
		t.Fatal(err)
	}
	keys := make(map[string][]byte)
	if err := json.Unmarshal(sample, &keys); err != nil {
		t.Fatal(err)
	}
	etcdctl := raw(t, e.Endpoint)
	for key, value := range keys {
		if _, err := etcdctl.Put(t.Context(), t.Name()+"/"+key, string(value)); err != nil {
			t.Fatal(err)
		}
	}
	c := dial(t, e.Endpoint)
	s := mustOpen(t, c, "vm0")
	want := map[string][]byte{"hierarchies": []byte("seeds"), "nv/01800001": []byte("2")}
	if got := load(t, s); !same(got, want) {
		t.Fatalf("records %q", got)
	}
	want["one"] = []byte("more")
	commit(t, s, map[string][]byte{"one": []byte("more")})
	s.Close()
	if got := load(t, mustOpen(t, c, "vm0")); !same(got, want) {
		t.Errorf("records %q", got)
	}
	later := bytes.Replace(keys["vm0/head"], []byte("etcd 1"), []byte("etcd 2"), 1)
	if _, err := etcdctl.Put(t.Context(), t.Name()+"/vm1/head", string(later)); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Open(t.Context(), "vm1", testKey); err == nil || !strings.Contains(err.Error(), "version") {
		t.Errorf("a later version: %v", err)
	}
}

// BenchmarkCommit is a small change, with one etcd on this machine: what a command that
// writes waits for.
func BenchmarkCommit(b *testing.B) {
	e := etcdtest.Start(b)
	c, err := etcd.Dial(etcd.Config{Endpoints: []string{e.Endpoint}})
	if err != nil {
		b.Fatal(err)
	}
	defer c.Close()
	s, err := c.Open(b.Context(), "vm0", testKey)
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	value := make([]byte, 64)
	for i := 0; b.Loop(); i++ {
		binary.BigEndian.PutUint64(value, uint64(i+1))
		if err := s.Commit(map[string][]byte{"nv/01800001": value}); err != nil {
			b.Fatal(err)
		}
	}
}
