package main

import (
	"bufio"
	"fmt"
	"net"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/bootseal/bootseal/vtpm/server/host/api"
)

// daemonProcess is `bootseal vtpm serve` in a process of its own.
type daemonProcess struct {
	*exec.Cmd
	api     *api.Client
	ended   chan error
	mu      sync.Mutex
	clients []net.Conn
}

// startDaemon starts the daemon and returns when it says that it is ready.
func startDaemon(t testing.TB, dir string, flags ...string) *daemonProcess {
	t.Helper()
	d := &daemonProcess{ended: make(chan error, 1)}
	socket := filepath.Join(dir, "api")
	d.api = api.NewClient(socket)
	args := []string{"vtpm", "serve", "--dir", filepath.Join(dir, "d"), "--listen", socket, "--log", "json"}
	d.Cmd = exec.Command(bootsealLink(t, t.TempDir()), append(args, flags...)...)
	log, err := d.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Start(); err != nil {
		t.Fatal(err)
	}
	ready := make(chan bool, 1)
	go func() {
		var last string
		for lines := bufio.NewScanner(log); lines.Scan(); last = lines.Text() {
			if strings.Contains(lines.Text(), `"msg":"ready"`) {
				ready <- true
			}
		}
		if err := d.Wait(); err != nil {
			d.ended <- fmt.Errorf("%w: %s", err, last)
		}
		close(d.ended)
	}()
	select {
	case <-ready:
	case err := <-d.ended:
		t.Fatalf("the daemon ended: %v", err)
	}
	return d
}

func (d *daemonProcess) stop(t testing.TB) {
	t.Helper()
	if err := d.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	if err := <-d.ended; err != nil {
		t.Fatal(err)
	}
	for _, c := range d.clients {
		c.Close()
	}
}

// kill ends the process as a power cut would.
func (d *daemonProcess) kill(t testing.TB) {
	t.Helper()
	if err := d.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	<-d.ended
}
