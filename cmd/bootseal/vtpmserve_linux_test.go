package main

import (
	"context"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/bootseal/bootseal/vtpm/server/host"
	"github.com/bootseal/bootseal/vtpm/server/host/api"
)

// systemd gives the daemon its socket, waits until it is ready, and keeps the socket when
// it ends.
func TestServeUnderSystemd(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a process")
	}
	dir, err := os.MkdirTemp("", "systemd")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	socket := filepath.Join(dir, "api")
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: socket, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	passed, err := l.File()
	if err != nil {
		t.Fatal(err)
	}
	defer passed.Close()
	told, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: filepath.Join(dir, "notify"), Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer told.Close()

	// The shell has the process's number before it is the daemon.
	d := exec.CommandContext(t.Context(), "sh", "-c", `LISTEN_PID=$$ exec "$0" vtpm serve --dir "$1" --listen "$1-not-used"`, bootsealLink(t, dir), filepath.Join(dir, "d"))
	d.Env = append(os.Environ(), "LISTEN_FDS=1", "NOTIFY_SOCKET="+filepath.Join(dir, "notify"))
	d.ExtraFiles = []*os.File{passed}
	var log strings.Builder
	d.Stderr = &log
	if err := d.Start(); err != nil {
		t.Fatal(err)
	}
	if got := heard(t, told); got != "READY=1" {
		t.Errorf("systemd was told %q", got)
	}
	c := api.NewClient(socket)
	if _, err := c.Create(t.Context(), "vm0", host.Spec{Start: true}); err != nil {
		t.Errorf("%v\n%s", err, &log)
	}
	if err := d.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	if got := heard(t, told); got != "STOPPING=1" {
		t.Errorf("systemd was told %q", got)
	}
	if err := d.Wait(); err != nil {
		t.Errorf("the daemon ended with %v\n%s", err, &log)
	}
	if _, err := os.Stat(socket); err != nil {
		t.Errorf("systemd's socket: %v", err)
	}
	if _, err := os.Stat(filepath.Join(dir, "d-not-used")); err == nil {
		t.Error("there is a second socket")
	}
}

// bootsealLink returns a link by whose name the test's program is bootseal; see TestMain.
func bootsealLink(t testing.TB, dir string) string {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(dir, "bootseal")
	if err := os.Symlink(exe, link); err != nil {
		t.Fatal(err)
	}
	return link
}

func heard(t *testing.T, told *net.UnixConn) string {
	t.Helper()
	if err := told.SetReadDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 64)
	n, err := told.Read(buf)
	if err != nil {
		t.Fatalf("systemd was told nothing: %v", err)
	}
	return string(buf[:n])
}

// A daemon of another directory does not take the place of one that serves.
func TestListenPathOfAnother(t *testing.T) {
	path := filepath.Join(t.TempDir(), "api")
	l, err := listenPath(path, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := listenPath(path, 0o600); err == nil || !strings.Contains(err.Error(), "another process serves") {
		t.Errorf("a second listener: %v", err)
	}
	l.(*net.UnixListener).SetUnlinkOnClose(false)
	l.Close()
	l, err = listenPath(path, 0o600)
	if err != nil {
		t.Fatalf("in the place of one that is gone: %v", err)
	}
	l.Close()
}

// Metrics of what was done are served, and by nobody from outside.
func TestServeMetrics(t *testing.T) {
	dir := t.TempDir()
	h, err := host.Open(filepath.Join(dir, "d"), host.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := h.Create(t.Context(), "vm0", host.Spec{PowerOn: true, Start: true}); err != nil {
		t.Fatal(err)
	}
	l, err := listenMetrics("unix:" + filepath.Join(dir, "m"))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- serveMetrics(ctx, l, h) }()
	conn, err := net.Dial("unix", filepath.Join(dir, "m"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := conn.Write([]byte("GET /metrics HTTP/1.0\r\n\r\n")); err != nil {
		t.Fatal(err)
	}
	var page strings.Builder
	if _, err := io.Copy(&page, conn); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		`bootseal_vtpm_instances{state="running"} 1`,
		`bootseal_vtpm_instances{state="failed"} 0`,
		`bootseal_vtpm_instance_commands_total{name="vm0"}`,
		`bootseal_vtpm_commit_failures_total 0`,
		`bootseal_vtpm_commit_seconds_count `,
	} {
		if !strings.Contains(page.String(), want) {
			t.Errorf("the metrics have no %s", want)
		}
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
	if err := h.Close(context.Background()); err != nil {
		t.Error(err)
	}
	for _, where := range []string{"0.0.0.0:0", "192.0.2.1:0", "example.com:0", "[::]:0", "9440"} {
		if _, err := listenMetrics(where); err == nil {
			t.Errorf("served at %s", where)
		}
	}
}
