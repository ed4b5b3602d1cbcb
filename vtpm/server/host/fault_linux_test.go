package host_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/bootseal/bootseal/vtpm/server/host"
	"github.com/google/go-tpm/tpm2"
)

// A real disk gets full: the one of one instance. It answers so and loses nothing, and the
// other instance does not notice.
func TestFullDisk(t *testing.T) {
	h := open(t, shortDir(t), host.Options{})
	full, err := h.Create(t.Context(), "full", host.Spec{PowerOn: true})
	if err != nil {
		t.Fatal(err)
	}
	good := create(t, h, "good")
	state := filepath.Join(h.Dir(), "full", "state")
	content, err := os.ReadFile(filepath.Join(state, "state"))
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mount("tmpfs", state, "tmpfs", 0, "size=320k,mode=0700"); err != nil {
		t.Skipf("needs root and the right to mount: %v", err)
	}
	t.Cleanup(func() {
		closeHost(t, h)
		if err := syscall.Unmount(state, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	if err := os.WriteFile(filepath.Join(state, "state"), content, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := h.Start(t.Context(), "full"); err != nil {
		t.Fatal(err)
	}
	c := dial(t, full)
	define(t, c)
	ballast := filepath.Join(state, "ballast")
	if err := os.WriteFile(ballast, bytes.Repeat([]byte("x"), 1<<20), 0o600); !errors.Is(err, syscall.ENOSPC) {
		t.Fatalf("fill the disk: %v", err)
	}

	// The journal has its room, so it takes a while until a new one is needed.
	acknowledged := uint64(0)
	for {
		n, err := increment(c)
		if errors.Is(err, tpm2.TPMRCNVUnavailable) {
			break
		}
		if err != nil || n != acknowledged+1 || n > 10_000 {
			t.Fatalf("counter %d after %d, %v", n, acknowledged, err)
		}
		acknowledged = n
	}
	alive(t, full)
	define(t, dial(t, good))
	if n, err := increment(dial(t, good)); n != 1 || err != nil {
		t.Errorf("the other instance counts %d, %v", n, err)
	}
	t.Logf("%d increments until the disk was full", acknowledged)

	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	if n, err := increment(c); n != acknowledged+1 || err != nil {
		t.Errorf("counter %d after %d with room again, %v", n, acknowledged, err)
	}
	if err := h.Stop(t.Context(), "full"); err != nil {
		t.Fatal(err)
	}
	if err := h.Start(t.Context(), "full"); err != nil {
		t.Fatal(err)
	}
	if n, err := increment(dial(t, full)); n != acknowledged+2 || err != nil {
		t.Errorf("counter %d after %d and a restart, %v", n, acknowledged+1, err)
	}
}

// Clients of many instances that send and never read do not use up the process's threads:
// Go's runtime ends a process that has 10,000.
func TestManyClientsThatNeverRead(t *testing.T) {
	if testing.Short() {
		t.Skip("fills many sockets")
	}
	h := open(t, shortDir(t), host.Options{})
	good := create(t, h, "good")
	var wg sync.WaitGroup
	for n := range 25 {
		bad := create(t, h, fmt.Sprintf("bad%d", n))
		for range 16 {
			flood := dial(t, bad)
			wg.Go(func() {
				flood.SetWriteDeadline(time.Now().Add(3 * time.Second))
				for {
					if _, err := flood.Write(getRandom); err != nil {
						return // both directions are full
					}
				}
			})
		}
	}
	wg.Wait()
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := bytes.Cut(status, []byte("Threads:"))
	threads, err := strconv.Atoi(string(bytes.Fields(rest)[0]))
	if err != nil || threads > 350 {
		t.Errorf("%d threads for 400 clients, %v", threads, err)
	}
	t.Logf("%d threads for 400 clients", threads)
	alive(t, good)
}
