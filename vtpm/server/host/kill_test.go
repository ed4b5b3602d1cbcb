package host_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/bootseal/bootseal/vtpm"
	"github.com/bootseal/bootseal/vtpm/server/host"
)

// childVariable makes the test binary a process that hosts the instances of the directory
// that it names.
const childVariable = "BOOTSEAL_HOST_TEST_DIR"

func TestMain(m *testing.M) {
	if dir := os.Getenv(childVariable); dir != "" {
		fmt.Fprintln(os.Stderr, hostForever(dir))
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// hostForever hosts until the process is killed. It makes as many instances as the first
// argument says, and says when they are there. The layout "die" ends the process while
// the instance is being made.
func hostForever(dir string) error {
	h, err := host.Open(dir, host.Options{Manufacture: func(context.Context, vtpm.Options, string, string) (json.RawMessage, error) {
		return nil, killSelf()
	}})
	if err != nil {
		return err
	}
	count, err := strconv.Atoi(os.Args[1])
	if err != nil {
		return err
	}
	for n := range count {
		_, err := h.Create(context.Background(), fmt.Sprintf("vm%d", n), host.Spec{PowerOn: true, Start: true})
		if err != nil && !errors.Is(err, host.ErrExists) {
			return err
		}
	}
	if err := h.StartAll(context.Background()); err != nil {
		return err
	}
	fmt.Println("ready")
	if os.Args[2] == "die" {
		_, err := h.Create(context.Background(), "half", host.Spec{Layout: "die"})
		return err
	}
	time.Sleep(time.Hour)
	return nil
}

func killSelf() error {
	p, err := os.FindProcess(os.Getpid())
	if err != nil {
		return err
	}
	if err := p.Kill(); err != nil {
		return err
	}
	time.Sleep(time.Hour)
	return nil
}

// startChild starts a process that hosts, and returns when it does.
func startChild(t *testing.T, dir string, count int, then string) *exec.Cmd {
	t.Helper()
	child := exec.CommandContext(t.Context(), os.Args[0], strconv.Itoa(count), then)
	child.Env = append(os.Environ(), childVariable+"="+dir)
	child.Stderr = os.Stderr
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(out).ReadString('\n'); line != "ready\n" {
		t.Fatalf("the host said %q, %v", line, err)
	}
	return child
}

// TestKill kills a host in the middle of writes to all of its instances, again and again.
// The next one has started them when it is ready, and each goes on where it was
// acknowledged, or one further: that was under way.
func TestKill(t *testing.T) {
	if testing.Short() {
		t.Skip("starts many processes")
	}
	const instances, rounds = 5, 8
	dir := shortDir(t)
	var acknowledged [instances]uint64
	for round := range rounds {
		child := startChild(t, dir, instances, "wait")
		var wg sync.WaitGroup
		for n := range instances {
			c := dial(t, host.Info{Data: fmt.Sprintf("%s/vm%d/sock", dir, n)})
			if round == 0 {
				define(t, c)
			}
			wg.Go(func() {
				for first := true; ; first = false {
					value, err := increment(c)
					if err != nil {
						return // the host is gone
					}
					more := value - acknowledged[n]
					if more != 1 && !(first && more == 2) {
						t.Errorf("round %d: instance %d counts %d after %d", round, n, value, acknowledged[n])
					}
					acknowledged[n] = value
				}
			})
		}
		time.Sleep(time.Duration(20+37*round) * time.Millisecond)
		if err := child.Process.Kill(); err != nil {
			t.Error(err)
		}
		wg.Wait()
		child.Wait()
	}
	for n, value := range acknowledged {
		if value < rounds {
			t.Errorf("instance %d counted to %d only", n, value)
		}
	}
	t.Logf("%d kills, increments %d", rounds, acknowledged)
}

// A host that is killed while it makes an instance has promised nobody one: the next host
// has none, and the name is free.
func TestKillWhileCreating(t *testing.T) {
	dir := shortDir(t)
	startChild(t, dir, 1, "die").Wait()
	if _, err := os.Stat(dir + "/half/instance.json"); err != nil {
		t.Fatalf("the instance was not being made: %v", err)
	}
	h := open(t, dir, host.Options{})
	if _, err := h.Show("half"); !errors.Is(err, host.ErrNotFound) {
		t.Errorf("half an instance: %v", err)
	}
	create(t, h, "half")
	if err := h.StartAll(t.Context()); err != nil {
		t.Fatal(err)
	}
	alive(t, host.Info{Data: dir + "/vm0/sock"})
}
