package api_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/bootseal/bootseal/vtpm/server/host"
	"github.com/bootseal/bootseal/vtpm/server/host/api"
)

// daemon is a host with its interface, and what was reported of requests.
type daemon struct {
	*host.Host
	socket string
	mu     sync.Mutex
	seen   []api.Request
}

func serve(t *testing.T, o api.Options) *daemon {
	t.Helper()
	dir, err := os.MkdirTemp("", "api")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	d := &daemon{socket: filepath.Join(dir, "api")}
	if d.Host, err = host.Open(filepath.Join(dir, "vtpm"), host.Options{}); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("unix", d.socket)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(d.socket, 0o666); err != nil {
		t.Fatal(err)
	}
	o.Host = d.Host
	o.Report = func(r api.Request) {
		d.mu.Lock()
		defer d.mu.Unlock()
		d.seen = append(d.seen, r)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- api.Serve(ctx, l, o) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		end, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := d.Close(end); err != nil {
			t.Error(err)
		}
	})
	return d
}

// reported waits for a request with the status and returns it.
func (d *daemon) reported(t *testing.T, status int) api.Request {
	t.Helper()
	for deadline := time.Now().Add(5 * time.Second); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		d.mu.Lock()
		for _, r := range d.seen {
			if r.Status == status {
				d.mu.Unlock()
				return r
			}
		}
		d.mu.Unlock()
	}
	t.Fatalf("no request with the status %d was reported", status)
	return api.Request{}
}

// The life of an instance, from another process's view.
func TestClient(t *testing.T) {
	d := serve(t, api.Options{})
	ctx, c := t.Context(), api.NewClient(d.socket)
	info, err := c.Create(ctx, "vm0", host.Spec{PowerOn: true, Start: true, Mode: "0600"})
	if err != nil || info.State != host.StateRunning || info.Mode != "0600" {
		t.Fatalf("%+v, %v", info, err)
	}
	if list, err := c.List(ctx); err != nil || len(list) != 1 || list[0].Name != "vm0" {
		t.Errorf("%+v, %v", list, err)
	}
	archive, err := c.Export(ctx, "vm0")
	if err != nil || len(archive.State) == 0 {
		t.Fatalf("%+v, %v", archive, err)
	}
	if info, err := c.Import(ctx, "vm1", archive, host.Spec{}); err != nil || info.State != host.StateStopped {
		t.Errorf("%+v, %v", info, err)
	}
	if info, err := c.Start(ctx, "vm1"); err != nil || info.State != host.StateRunning {
		t.Errorf("%+v, %v", info, err)
	}
	if info, err := c.Stop(ctx, "vm1"); err != nil || info.State != host.StateStopped {
		t.Errorf("%+v, %v", info, err)
	}
	if err := c.Remove(ctx, "vm1", host.Removal{}); err != nil {
		t.Error(err)
	}
	if err := c.Remove(ctx, "vm0", host.Removal{Force: true}); err != nil {
		t.Error(err)
	}
	if list, err := c.List(ctx); err != nil || list == nil || len(list) != 0 {
		t.Errorf("%+v, %v", list, err)
	}
}

// The host's errors arrive as what they are.
func TestErrors(t *testing.T) {
	d := serve(t, api.Options{})
	ctx, c := t.Context(), api.NewClient(d.socket)
	if _, err := c.Create(ctx, "vm0", host.Spec{Start: true}); err != nil {
		t.Fatal(err)
	}
	_, exists := c.Create(ctx, "vm0", host.Spec{})
	_, spec := c.Create(ctx, "vm1", host.Spec{Profile: "tpm12"})
	_, name := c.Create(ctx, "../vm1", host.Spec{})
	_, missing := c.Show(ctx, "vm1")
	for _, e := range []struct{ got, want error }{
		{exists, host.ErrExists}, {spec, host.ErrSpec}, {name, host.ErrName}, {missing, host.ErrNotFound},
		{c.Remove(ctx, "vm0", host.Removal{}), host.ErrState},
	} {
		if !errors.Is(e.got, e.want) {
			t.Errorf("%v is not %q", e.got, e.want)
		}
	}
	if _, err := api.NewClient(d.socket + "-none").List(ctx); err == nil || !strings.Contains(err.Error(), "bootseal vtpm serve") {
		t.Errorf("no daemon: %v", err)
	}
}

// What is no request of the interface is refused, and what is too large not read.
func TestBadRequests(t *testing.T) {
	d := serve(t, api.Options{})
	client := &http.Client{Transport: &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) {
		return net.Dial("unix", d.socket)
	}}}
	defer client.CloseIdleConnections()
	for _, r := range []struct{ method, path, body string }{
		{"GET", "/", ""}, {"PUT", "/v1/instances/vm0", "{}"}, {"POST", "/v1/instances/vm0", ""},
		{"POST", "/v1/instances/vm0", "{"}, {"POST", "/v1/instances/vm0", `{"stat":true}`},
		{"POST", "/v1/instances/vm0", `{} {}`}, {"POST", "/v1/instances/vm0", strings.Repeat(" ", 65<<10) + "{}"},
		{"POST", "/v1/instances/vm0/import", `{}`}, {"POST", "/v1/instances/vm0/import", `{"archive":{"state":"?"}}`},
		{"GET", "/v1/instances/%2e%2e", ""},
	} {
		request, err := http.NewRequest(r.method, "http://x"+r.path, strings.NewReader(r.body))
		if err != nil {
			t.Fatal(err)
		}
		response, err := client.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(response.Body)
		response.Body.Close()
		if err != nil || response.StatusCode != http.StatusBadRequest || !bytes.Contains(body, []byte(`"error":`)) {
			t.Errorf("%.70v: %s: %.200s %v", r, response.Status, body, err)
		}
	}
	if list := d.List(); len(list) != 0 {
		t.Errorf("made: %+v", list)
	}
}

// Who traces sees commands as they go by; the end of the instance is that of the trace.
func TestTrace(t *testing.T) {
	d := serve(t, api.Options{})
	c := api.NewClient(d.socket)
	info, err := c.Create(t.Context(), "vm0", host.Spec{PowerOn: true, Start: true})
	if err != nil {
		t.Fatal(err)
	}
	ready, lines, done := make(chan bool), make(chan api.TraceLine, 8), make(chan error, 1)
	go func() {
		done <- c.Trace(t.Context(), "vm0", func() { close(ready) }, func(l api.TraceLine) error {
			lines <- l
			return nil
		})
	}()
	<-ready
	conn, err := net.Dial("unix", info.Data)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	command := []byte{0x80, 0x01, 0, 0, 0, 12, 0, 0, 0x01, 0x7B, 0, 8}
	if _, err := conn.Write(command); err != nil {
		t.Fatal(err)
	}
	if x := (<-lines).Exchange(); !bytes.Equal(x.Command, command) || len(x.Response) != 20 || x.Took <= 0 {
		t.Errorf("%+v", x)
	}
	if err := c.Remove(t.Context(), "vm0", host.Removal{Force: true}); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Errorf("the trace of what was removed: %v", err)
	}
	if err := c.Trace(t.Context(), "vm0", nil, nil); !errors.Is(err, host.ErrNotFound) {
		t.Errorf("trace what is not there: %v", err)
	}
}

// A client that sends half a request and waits does not keep others out.
func TestSlowClients(t *testing.T) {
	d := serve(t, api.Options{})
	for range 20 {
		conn, err := net.Dial("unix", d.socket)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		fmt.Fprint(conn, "POST /v1/instances/vm0 HTTP/1.1\r\n")
	}
	if _, err := api.NewClient(d.socket).List(t.Context()); err != nil {
		t.Error(err)
	}
}
