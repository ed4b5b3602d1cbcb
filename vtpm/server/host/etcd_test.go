package host_test

import (
	"bytes"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/bootseal/bootseal/internal/etcdtest"
	"github.com/bootseal/bootseal/vtpm"
	"github.com/bootseal/bootseal/vtpm/server/host"
	"github.com/bootseal/bootseal/vtpm/store"
	"github.com/bootseal/bootseal/vtpm/store/etcd"
	clientv3 "go.etcd.io/etcd/client/v3"
)

// inEtcd returns options for a host whose states are in etcd.
func inEtcd(t *testing.T, e *etcdtest.Server, wait time.Duration) host.Options {
	t.Helper()
	c, err := etcd.Dial(etcd.Config{Endpoints: []string{e.Endpoint}, Prefix: "vtpm", TTL: 2 * time.Second, Wait: wait})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	key := bytes.Repeat([]byte("k"), store.KeySize)
	return host.Options{OpenStore: func(name string) (vtpm.Store, io.Closer, error) {
		s, err := c.Open(t.Context(), name, key)
		if err != nil {
			return nil, nil, err
		}
		return s, s, nil
	}}
}

// A vTPM whose state is in etcd runs on one host. When that is lost to etcd, it stops there,
// and another host takes it up where it was. To remove it where it does not run any more
// leaves the state alone.
func TestAnotherHostTakesUp(t *testing.T) {
	e := etcdtest.Start(t)
	first := open(t, shortDir(t), inEtcd(t, e, 0))
	info, err := first.Create(t.Context(), "vm0", host.Spec{PowerOn: true, Start: true})
	if err != nil {
		t.Fatal(err)
	}
	c := dial(t, info)
	define(t, c)
	for want := range uint64(3) {
		if n, err := increment(c); err != nil || n != want+1 {
			t.Fatalf("counter %d, %v", n, err)
		}
	}

	second := open(t, shortDir(t), inEtcd(t, e, 20*time.Second))
	impatient := open(t, shortDir(t), inEtcd(t, e, 0))
	for _, spec := range []host.Spec{{}, {Adopt: true}} {
		if _, err := impatient.Create(t.Context(), "vm0", spec); err == nil || !strings.Contains(err.Error(), "is open on") {
			t.Errorf("%+v, while another host has it: %v", spec, err)
		}
	}
	if _, err := impatient.Create(t.Context(), "vm1", host.Spec{Adopt: true}); err == nil || !strings.Contains(err.Error(), "gone") {
		t.Errorf("existing, and nothing is there: %v", err)
	}

	// What the death of the host's network does, without the wait.
	etcdctl, err := clientv3.New(clientv3.Config{Endpoints: []string{e.Endpoint}})
	if err != nil {
		t.Fatal(err)
	}
	defer etcdctl.Close()
	leases, err := etcdctl.Leases(t.Context())
	if err != nil || len(leases.Leases) != 1 {
		t.Fatalf("leases %v, %v", leases, err)
	}
	if _, err := etcdctl.Revoke(t.Context(), leases.Leases[0].ID); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		info, err := first.Show("vm0")
		if err != nil || time.Now().After(deadline) {
			t.Fatalf("%+v, %v", info, err)
		}
		if info.State == host.StateFailed {
			if !strings.Contains(info.Reason, "lost") {
				t.Errorf("it ended: %s", info.Reason)
			}
			break
		}
	}

	info, err = second.Create(t.Context(), "vm0", host.Spec{PowerOn: true, Start: true, Adopt: true})
	if err != nil {
		t.Fatal(err)
	}
	c = dial(t, info)
	if n, err := increment(c); err != nil || n != 4 {
		t.Errorf("counter %d, %v", n, err)
	}
	if err := first.Start(t.Context(), "vm0"); err == nil || !strings.Contains(err.Error(), "is open on") {
		t.Errorf("started where it was: %v", err)
	}
	if err := first.Remove(t.Context(), "vm0", host.Removal{KeepState: true}); err != nil {
		t.Error(err)
	}
	if n, err := increment(c); err != nil || n != 5 {
		t.Errorf("counter %d, %v", n, err)
	}
	if err := second.Stop(t.Context(), "vm0"); err != nil {
		t.Fatal(err)
	}
	if _, err := impatient.Create(t.Context(), "vm0", host.Spec{}); err == nil || !strings.Contains(err.Error(), "already") {
		t.Errorf("a new one in its place: %v", err)
	}
	if err := second.Start(t.Context(), "vm0"); err != nil {
		t.Errorf("the state is gone: %v", err)
	}
}
