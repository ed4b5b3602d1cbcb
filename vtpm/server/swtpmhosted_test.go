package server_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/bootseal/bootseal/vtpm"
	"github.com/bootseal/bootseal/vtpm/server"
)

// Where a TPM stays, a VM's end is its power going off, and the next VM finds it.
func TestSwtpmStays(t *testing.T) {
	v := newVM(t, server.SwtpmOptions{Init: true, Startup: startup, Stay: true})
	v.must(ctlShutdown)
	if rc := v.run(getRandom); rc != 0x101 {
		t.Errorf("a command after SHUTDOWN: %#x", rc)
	}
	v.must(ctlInit, 0)
	if rc := v.run(startup); rc != 0 {
		t.Errorf("startup: %#x", rc)
	}
}

// Each command that is executed is seen with its response, and none that is not.
func TestSwtpmObserve(t *testing.T) {
	var seen []server.Exchange
	v := newVM(t, server.SwtpmOptions{Observe: func(x server.Exchange) {
		x.Command, x.Response = bytes.Clone(x.Command), bytes.Clone(x.Response)
		seen = append(seen, x)
	}})
	v.run(startup) // before INIT: not the TPM's answer
	v.must(ctlInit, 0)
	v.must(ctlSetLocality, 3<<24)
	v.run(startup)
	v.run(getRandom)
	if len(seen) != 2 {
		t.Fatalf("%d commands were seen", len(seen))
	}
	x := seen[1]
	if !bytes.Equal(x.Command, getRandom) || len(x.Response) != 20 || x.Locality != 3 || x.At.IsZero() || x.Took <= 0 {
		t.Errorf("seen: %+v", x)
	}
}

// panicStore panics in Load when told to: a bug below the engine's own guard.
type panicStore struct {
	server.NVSwitch
	armed atomic.Bool
}

func (p *panicStore) Load() (map[string][]byte, error) {
	if p.armed.Load() {
		panic("a bug in the store")
	}
	return p.NVSwitch.Load()
}

// A panic ends the one server, with an error, and closes what it had open.
func TestSwtpmContainsPanics(t *testing.T) {
	s := new(panicStore)
	l, err := net.Listen("unix", t.TempDir()+"/control")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr()
	swtpm, err := server.NewSwtpm(server.SwtpmOptions{Control: l, Incoming: true, Open: func() (*vtpm.TPM, io.Closer, error) {
		tpm, err := vtpm.New(vtpm.Options{Store: s})
		return tpm, nil, err
	}})
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- swtpm.Serve(t.Context()) }()
	s.armed.Store(true)
	c := dial(t, addr)
	c.write(ctlMessage(ctlInit, 0))
	if _, err := c.Read(make([]byte, 4)); !errors.Is(err, io.EOF) {
		t.Errorf("an answer of a server that panicked: %v", err)
	}
	if err := <-done; err == nil || !strings.Contains(err.Error(), "a bug in the store") {
		t.Errorf("serve: %v", err)
	}
}

// A client beyond the limit is served when another one leaves.
func TestSwtpmMaxClients(t *testing.T) {
	l, err := net.Listen("unix", t.TempDir()+"/data")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr()
	newVM(t, server.SwtpmOptions{Init: true, Startup: startup, Data: l, MaxClients: 1})
	first, second := dial(t, addr), dial(t, addr)
	first.write(getRandom)
	first.response()
	second.write(getRandom)
	first.Close()
	if response := second.response(); binary.BigEndian.Uint32(response[6:]) != 0 {
		t.Errorf("response %x", response)
	}
}
