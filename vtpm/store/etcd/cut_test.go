package etcd_test

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/bootseal/bootseal/internal/etcdtest"
	"github.com/bootseal/bootseal/vtpm"
	"github.com/bootseal/bootseal/vtpm/store/etcd"
	"github.com/bootseal/bootseal/vtpm/vtpmtest"
	"github.com/google/go-tpm/tpm2"
	clientv3 "go.etcd.io/etcd/client/v3"
)

// TestCutAnywhere cuts the connection at every byte of a Commit's request, and of its
// answer. The Commit happens all the same, once: what became of the first request is found
// out when the connection is back.
func TestCutAnywhere(t *testing.T) {
	t.Parallel()
	e := etcdtest.Start(t)
	p := newProxy(t, e.Endpoint)
	s := mustOpen(t, dial(t, p.endpoint()), "vm0")
	commit(t, s, map[string][]byte{"n": []byte("0")})
	up, down := p.toEtcd.Load(), p.toClient.Load()
	commit(t, s, map[string][]byte{"n": []byte("1")})
	up, down = p.toEtcd.Load()-up, p.toClient.Load()-down
	n, writes := 1, headWrites(t, e, "vm0")
	step := int64(1)
	if testing.Short() {
		step = 23
	}
	for at := int64(0); at < up+down; at += step {
		if at < up {
			p.cutAfter(at, -1)
		} else {
			p.cutAfter(-1, at-up)
		}
		n++
		if err := s.Commit(map[string][]byte{"n": []byte(strconv.Itoa(n))}); err != nil {
			t.Fatalf("cut at byte %d of %d+%d: %v", at, up, down, err)
		}
		p.heal()
		// Once: a request that was sent again and again replaced the head once.
		if writes++; writes != headWrites(t, e, "vm0") {
			t.Fatalf("cut at byte %d: the head was replaced %d times", at, headWrites(t, e, "vm0")-writes+1)
		}
	}
	s.Close()
	if got := load(t, mustOpen(t, dial(t, e.Endpoint), "vm0")); string(got["n"]) != strconv.Itoa(n) {
		t.Errorf("n is %s, want %d", got["n"], n)
	}
	// A few bytes of each direction are of the connection, and not needed for a Commit.
	if cuts := p.cuts.Load(); cuts < int64(n)/2 {
		t.Errorf("%d cuts in %d commits", cuts, n)
	} else {
		t.Logf("%d cuts in %d requests of %d bytes and answers of %d", cuts, n, up, down)
	}
}

// headWrites says how often the head was written.
func headWrites(t *testing.T, e *etcdtest.Server, name string) int64 {
	t.Helper()
	r, err := raw(t, e.Endpoint).Get(t.Context(), t.Name()+"/"+name+"/head", clientv3.WithKeysOnly())
	if err != nil || len(r.Kvs) != 1 {
		t.Fatalf("%d heads: %v", len(r.Kvs), err)
	}
	return r.Kvs[0].Version
}

// TestFencing swallows the connection of the first owner in the middle of a Commit, until
// its lease runs out and another host has taken over. Then the connection comes back, and
// with it the request: it must not count, and the first owner must know that it is none.
func TestFencing(t *testing.T) {
	t.Parallel()
	e := etcdtest.Start(t)
	for _, at := range []int64{0, 60, 100000} {
		t.Run(fmt.Sprint("cut at ", at), func(t *testing.T) {
			t.Parallel()
			p := newProxy(t, e.Endpoint)
			first := mustOpen(t, dial(t, p.endpoint(), brief), "vm0")
			commit(t, first, map[string][]byte{"a": []byte("first")})

			// The request arrives in part, as a whole, or late.
			held := newHold(p, at)
			result := make(chan error, 1)
			go func() { result <- first.Commit(map[string][]byte{"a": []byte("in flight")}) }()
			second := mustOpen(t, dial(t, e.Endpoint, waiting), "vm0")
			select {
			case <-first.Lost().Done():
			default:
				t.Error("another host has the state, and the first owner has not noticed")
			}
			had := string(load(t, second)["a"])
			commit(t, second, map[string][]byte{"b": []byte("second")})
			held.release()
			err := <-result
			switch {
			case err == nil && had != "in flight":
				t.Errorf("the Commit was acknowledged, and the next owner found %q", had)
			case err != nil && !errors.Is(err, etcd.ErrLost):
				t.Errorf("the Commit in flight: %v", err)
			}
			if err := first.Commit(map[string][]byte{"a": []byte("late")}); !errors.Is(err, etcd.ErrLost) {
				t.Errorf("a late Commit: %v", err)
			}
			if _, err := first.Load(); !errors.Is(err, etcd.ErrLost) {
				t.Errorf("a late Load: %v", err)
			}
			time.Sleep(200 * time.Millisecond) // what was held arrives
			commit(t, second, map[string][]byte{"c": []byte("second")})
			second.Close()
			got := load(t, mustOpen(t, dial(t, e.Endpoint, waiting), "vm0"))
			if string(got["a"]) != had || len(got) != 3 {
				t.Errorf("records %q, and a was %q", got, had)
			}
		})
	}
}

// hold lets at bytes pass to etcd and nothing back, and the rest when it is released.
type hold struct{ p *proxy }

func newHold(p *proxy, at int64) *hold {
	p.hold.Lock()
	p.holding.Store(true)
	p.cutAfter(at, 0)
	return &hold{p}
}

func (h *hold) release() {
	h.p.heal()
	h.p.holding.Store(false)
	h.p.hold.Unlock()
}

// TestEtcdDies kills etcd in the middle of Commits, and starts it again: they are done, and
// acknowledged then.
func TestEtcdDies(t *testing.T) {
	t.Parallel()
	e := etcdtest.Start(t)
	c := dial(t, e.Endpoint, func(c *etcd.Config) { c.TTL = 30 * time.Second })
	s := mustOpen(t, c, "vm0")
	r := rand.New(rand.NewPCG(1, 1))
	for round := range 4 {
		done := make(chan error, 1)
		go func() {
			for i := range 200 {
				if err := s.Commit(map[string][]byte{"n": fmt.Append(nil, round, "/", i), "padding": make([]byte, i*i%2000)}); err != nil {
					done <- err
					return
				}
			}
			done <- nil
		}()
		time.Sleep(time.Duration(r.IntN(100)) * time.Millisecond)
		e.Kill()
		e.Restart(t)
		if err := <-done; err != nil {
			t.Fatal(err)
		}
	}
	s.Close()
	if got := load(t, mustOpen(t, c, "vm0")); string(got["n"]) != "3/199" {
		t.Errorf("n is %s", got["n"])
	}
}

// TestLeaderDies kills the leader of an etcd of three in the middle of Commits, each time.
// They take until the others have elected one, and happen.
func TestLeaderDies(t *testing.T) {
	t.Parallel()
	members := etcdtest.Cluster(t, 3)
	var endpoints []string
	for _, m := range members {
		endpoints = append(endpoints, m.Endpoint)
	}
	all := func(c *etcd.Config) { c.Endpoints, c.TTL = endpoints, 15*time.Second }
	c := dial(t, "", all)
	s := mustOpen(t, c, "vm0")
	n := 0
	for range 3 {
		leader := leaderOf(t, members)
		done := make(chan error, 1)
		go func() {
			for range 100 {
				n++
				if err := s.Commit(map[string][]byte{"n": []byte(strconv.Itoa(n))}); err != nil {
					done <- err
					return
				}
			}
			done <- nil
		}()
		time.Sleep(20 * time.Millisecond)
		leader.Kill()
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		leader.Restart(t)
	}
	s.Close()
	if got := load(t, mustOpen(t, c, "vm0")); string(got["n"]) != "300" {
		t.Errorf("n is %s", got["n"])
	}
}

func leaderOf(t *testing.T, members []*etcdtest.Server) *etcdtest.Server {
	t.Helper()
	for {
		for _, m := range members {
			r, err := raw(t, m.Endpoint).Status(t.Context(), "http://"+m.Endpoint)
			if err != nil {
				t.Fatal(err)
			}
			if r.Leader == r.Header.MemberId {
				return m
			}
		}
	}
}

// A TPM whose state is lost in the middle of a command says neither that it was done nor
// that it was not: it is in failure mode.
func TestTPMLosesItsState(t *testing.T) {
	t.Parallel()
	e := etcdtest.Start(t)
	tpm := vtpmtest.OpenOptions(t, vtpm.Options{Store: mustOpen(t, dial(t, e.Endpoint, brief), "vm0")})
	e.Kill()
	clear := tpm2.Clear{AuthHandle: tpm2.AuthHandle{Handle: tpm2.TPMRHLockout, Auth: tpm2.PasswordAuth(nil)}}
	if _, err := clear.Execute(tpm); !errors.Is(err, tpm2.TPMRCFailure) {
		t.Errorf("clear: %v", err)
	}
	if err := tpm.Failure(); !errors.Is(err, etcd.ErrLost) {
		t.Errorf("it failed for %v", err)
	}
}

// TestEtcdStaysAway: a Commit without etcd ends when the lease may have run out, and
// nothing is done any more.
func TestEtcdStaysAway(t *testing.T) {
	t.Parallel()
	e := etcdtest.Start(t)
	s := mustOpen(t, dial(t, e.Endpoint, brief), "vm0")
	commit(t, s, map[string][]byte{"a": []byte("1")})
	e.Kill()
	if err := s.Commit(map[string][]byte{"a": []byte("2")}); !errors.Is(err, etcd.ErrLost) {
		t.Errorf("commit: %v", err)
	}
	if err := s.Lost().Err(); err == nil {
		t.Error("not lost")
	}
	if _, err := s.Load(); !errors.Is(err, etcd.ErrLost) {
		t.Errorf("load: %v", err)
	}
}

// TestLeaseRevoked takes the lease away behind the owner's back, as an administrator can:
// its next Commit is refused.
func TestLeaseRevoked(t *testing.T) {
	t.Parallel()
	e := etcdtest.Start(t)
	s := mustOpen(t, dial(t, e.Endpoint), "vm0")
	commit(t, s, map[string][]byte{"a": []byte("1")})
	etcdctl := raw(t, e.Endpoint)
	leases, err := etcdctl.Leases(t.Context())
	if err != nil || len(leases.Leases) != 1 {
		t.Fatalf("leases %v, %v", leases, err)
	}
	if _, err := etcdctl.Revoke(t.Context(), leases.Leases[0].ID); err != nil {
		t.Fatal(err)
	}
	if err := s.Commit(map[string][]byte{"a": []byte("2")}); !errors.Is(err, etcd.ErrLost) {
		t.Errorf("commit: %v", err)
	}
	if got := load(t, mustOpen(t, dial(t, e.Endpoint), "vm0")); string(got["a"]) != "1" {
		t.Errorf("records %q", got)
	}
}

// TestFull fills etcd until it has no space, by several at once: a Commit is refused and did
// not happen, or it happened, and etcd, which says that it has no space either way, is not
// believed. When there is room, all goes on.
func TestFull(t *testing.T) {
	t.Parallel()
	e := etcdtest.Start(t, "--quota-backend-bytes", strconv.Itoa(8<<20))
	etcdctl := raw(t, e.Endpoint)
	c := dial(t, e.Endpoint)
	const states = 6
	var stores [states]*etcd.Store
	var counts [states]int
	for i := range stores {
		stores[i] = mustOpen(t, c, fmt.Sprint("vm", i))
	}
	counter := c.Counter("counted", testKey)
	for round := range 3 {
		var all sync.WaitGroup
		for i, s := range stores {
			all.Go(func() {
				var err error
				for n := 0; err == nil && n < 1000; n++ {
					err = s.Commit(map[string][]byte{"n": []byte(strconv.Itoa(counts[i] + 1)), "large": bytes.Repeat([]byte{byte(n)}, 90<<10)})
					if err == nil {
						counts[i]++
					}
				}
				if err == nil || errors.Is(err, etcd.ErrLost) {
					t.Errorf("commits to a full etcd: %v", err)
				}
			})
		}
		all.Wait()
		if err := counter.Advance(uint64(round)); err == nil {
			t.Error("a counter in a full etcd moved")
		}
		makeRoom(t, e, etcdctl)
		for i, s := range stores {
			s.Close()
			stores[i] = mustOpen(t, c, fmt.Sprint("vm", i))
			if got := load(t, stores[i])["n"]; string(got) != strconv.Itoa(counts[i]) {
				t.Errorf("n is %s, and %d was acknowledged", got, counts[i])
			}
		}
		if err := counter.Advance(uint64(round)); err != nil {
			t.Error(err)
		}
	}
	t.Logf("%v changes", counts)
}

// makeRoom is what an administrator does with a full etcd.
func makeRoom(t *testing.T, e *etcdtest.Server, etcdctl *clientv3.Client) {
	t.Helper()
	r, err := etcdctl.Get(t.Context(), "x")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := etcdctl.Compact(t.Context(), r.Header.Revision, clientv3.WithCompactPhysical()); err != nil {
		t.Fatal(err)
	}
	if _, err := etcdctl.Defragment(t.Context(), "http://"+e.Endpoint); err != nil {
		t.Fatal(err)
	}
	if _, err := etcdctl.AlarmDisarm(t.Context(), &clientv3.AlarmMember{}); err != nil {
		t.Fatal(err)
	}
}
