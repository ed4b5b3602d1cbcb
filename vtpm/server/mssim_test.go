package server_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"sync"
	"syscall"
	"testing"

	"github.com/bootseal/bootseal/vtpm"
	"github.com/bootseal/bootseal/vtpm/server"
	"github.com/bootseal/bootseal/vtpm/vtpmtest"
)

// Messages of the simulator's protocol, as a client knows them.
const (
	powerOn, powerOff                 = 1, 2
	hashStart, hashData, hashEnd      = 5, 6, 7
	sendCommand                       = 8
	nvOn, nvOff                       = 11, 12
	handshake, reset, bye, stop       = 15, 17, 20, 21
	responseSizes, actSignaled        = 25, 26
	presenceOn, presenceOff           = 3, 4
	firmwareHash, testFailure, cancel = 35, 30, 9
)

var (
	startup   = []byte{0x80, 0x01, 0, 0, 0, 12, 0, 0, 0x01, 0x44, 0, 0}
	getRandom = []byte{0x80, 0x01, 0, 0, 0, 12, 0, 0, 0x01, 0x7B, 0, 8}
	// readPCR0 is TPM2_PCR_Read of PCR 0, SHA-256; readPCR17 likewise.
	readPCR0  = []byte{0x80, 0x01, 0, 0, 0, 20, 0, 0, 0x01, 0x7E, 0, 0, 0, 1, 0, 0x0B, 3, 1, 0, 0}
	readPCR17 = []byte{0x80, 0x01, 0, 0, 0, 20, 0, 0, 0x01, 0x7E, 0, 0, 0, 1, 0, 0x0B, 3, 0, 0, 2}
)

const (
	rcSuccess, rcInitialize, rcCommandSize = 0, 0x100, 0x142
	rcNVUnavailable                        = 0x923
)

// simulator starts a simulator on loopback for the test. Its TPM has no power.
func simulator(t *testing.T) *server.MSSim {
	t.Helper()
	s, done := simulatorUntil(t, t.Context())
	t.Cleanup(func() {
		if err := <-done; err != nil {
			t.Errorf("serve: %v", err)
		}
	})
	return s
}

// simulatorUntil is simulator until ctx is done; done gets Serve's error.
func simulatorUntil(t *testing.T, ctx context.Context) (s *server.MSSim, done <-chan error) {
	t.Helper()
	nv := new(server.NVSwitch)
	tpm, err := vtpm.New(vtpm.Options{Store: nv, Entropy: vtpmtest.Entropy()})
	if err != nil {
		t.Fatal(err)
	}
	if s, err = server.ListenMSSim("127.0.0.1:0", ""); err != nil {
		t.Fatal(err)
	}
	result := make(chan error, 1)
	go func() { result <- s.Serve(ctx, tpm, nv) }()
	return s, result
}

// client is a connection to one of the ports.
type client struct {
	t *testing.T
	net.Conn
}

func dial(t *testing.T, addr net.Addr) *client {
	t.Helper()
	conn, err := net.Dial(addr.Network(), addr.String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return &client{t, conn}
}

func (c *client) write(parts ...any) {
	c.t.Helper()
	var b []byte
	for _, p := range parts {
		switch p := p.(type) {
		case int:
			b = binary.BigEndian.AppendUint32(b, uint32(p))
		case byte:
			b = append(b, p)
		case []byte:
			b = append(b, p...)
		}
	}
	if _, err := c.Write(b); err != nil {
		c.t.Fatal(err)
	}
}

func (c *client) read(n int) []byte {
	c.t.Helper()
	b := make([]byte, n)
	if _, err := io.ReadFull(c, b); err != nil {
		c.t.Fatal(err)
	}
	return b
}

func (c *client) number() int { return int(binary.BigEndian.Uint32(c.read(4))) }

// signal sends a message that is acknowledged with 0.
func (c *client) signal(parts ...any) {
	c.t.Helper()
	c.write(parts...)
	if ack := c.number(); ack != 0 {
		c.t.Fatalf("%v: acknowledged with %d", parts, ack)
	}
}

// run runs a command and returns its response.
func (c *client) run(locality byte, cmd []byte) []byte {
	c.t.Helper()
	c.write(sendCommand, locality, len(cmd), cmd)
	response := c.read(c.number())
	if ack := c.number(); ack != 0 {
		c.t.Fatalf("acknowledged with %d", ack)
	}
	return response
}

// want runs a command that answers with the code.
func (c *client) want(rc uint32, cmd []byte) []byte {
	c.t.Helper()
	response := c.run(0, cmd)
	if len(response) < 10 || binary.BigEndian.Uint32(response[6:]) != rc {
		c.t.Fatalf("%x: response %x, want code %#x", cmd, response, rc)
	}
	return response
}

// ended checks that the server closed the connection.
func (c *client) ended() {
	c.t.Helper()
	if n, err := c.Read(make([]byte, 1)); n != 0 || !errors.Is(err, io.EOF) && !errors.Is(err, syscall.ECONNRESET) {
		c.t.Fatalf("the connection did not end: %d bytes, %v", n, err)
	}
}

// A TPM without power has empty responses, one with power waits for Startup, and
// one that was reset waits again; a second power on is no reset.
func TestPower(t *testing.T) {
	s := simulator(t)
	c, p := dial(t, s.CommandAddr()), dial(t, s.PlatformAddr())
	p.signal(reset)
	if response := c.run(0, startup); len(response) != 0 {
		t.Fatalf("response without power: %x", response)
	}
	p.signal(powerOn)
	c.want(rcInitialize, getRandom)
	c.want(rcSuccess, startup)
	p.signal(powerOn)
	c.want(rcSuccess, getRandom)
	p.signal(reset)
	c.want(rcInitialize, getRandom)
	c.want(rcSuccess, startup)
	p.signal(powerOff)
	if response := c.run(0, getRandom); len(response) != 0 {
		t.Fatalf("response without power: %x", response)
	}
	p.signal(powerOn)
	c.want(rcInitialize, getRandom)
}

// The platform port is the one after the command port, where clients look for it.
func TestPlatformPortIsTheNext(t *testing.T) {
	s, err := server.ListenMSSim("127.0.0.1:0", "")
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	c, p := s.CommandAddr().(*net.TCPAddr), s.PlatformAddr().(*net.TCPAddr)
	if p.Port != c.Port+1 || !p.IP.IsLoopback() {
		t.Errorf("command port at %v, platform port at %v", c, p)
	}
}

// A command has the locality of its message: locality 2 may extend PCR 20, and 9
// does not exist, which makes it 0.
func TestLocality(t *testing.T) {
	s := simulator(t)
	c, p := dial(t, s.CommandAddr()), dial(t, s.PlatformAddr())
	p.signal(powerOn)
	c.want(rcSuccess, startup)
	extend := append([]byte{
		0x80, 0x02, 0, 0, 0, 65, 0, 0, 0x01, 0x82, 0, 0, 0, 20,
		0, 0, 0, 9, 0x40, 0, 0, 9, 0, 0, 0, 0, 0,
		0, 0, 0, 1, 0, 0x0B,
	}, make([]byte, 32)...)
	const rcLocality = 0x907
	for locality, want := range map[byte]uint32{0: rcLocality, 2: rcSuccess, 9: rcLocality} {
		response := c.run(locality, extend)
		if rc := binary.BigEndian.Uint32(response[6:]); rc != want {
			t.Errorf("extend PCR 20 at locality %d: %#x, want %#x", locality, rc, want)
		}
	}
}

// _TPM_Hash_Start, _Data and _End before Startup measure into PCR 0, after it
// into PCR 17.
func TestHash(t *testing.T) {
	s := simulator(t)
	c, p := dial(t, s.CommandAddr()), dial(t, s.PlatformAddr())
	p.signal(powerOn)
	c.want(rcSuccess, startup)
	plain0 := c.want(rcSuccess, readPCR0)
	plain17 := c.want(rcSuccess, readPCR17)
	p.signal(reset)
	c.signal(hashStart)
	c.signal(hashData, 3, []byte("abc"))
	c.signal(hashEnd)
	c.want(rcSuccess, startup)
	if bytes.Equal(c.want(rcSuccess, readPCR0), plain0) {
		t.Error("PCR 0 did not take the H-CRTM event")
	}
	c.signal(hashStart)
	c.signal(hashData, 0)
	c.signal(hashEnd)
	if bytes.Equal(c.want(rcSuccess, readPCR17), plain17) {
		t.Error("PCR 17 did not take the dynamic launch")
	}
}

// While the platform has NV off, a command that must write it says so.
func TestNV(t *testing.T) {
	s := simulator(t)
	c, p := dial(t, s.CommandAddr()), dial(t, s.PlatformAddr())
	p.signal(powerOn)
	p.signal(nvOff)
	c.want(rcNVUnavailable, startup)
	p.signal(nvOn)
	c.want(rcSuccess, startup)
}

// Messages that say something of the simulator are answered in their form.
func TestQuestions(t *testing.T) {
	s := simulator(t)
	c, p := dial(t, s.CommandAddr()), dial(t, s.PlatformAddr())
	c.write(handshake, 1)
	if version, info, ack := c.number(), c.number(), c.number(); version != 1 || info&1 == 0 || ack != 0 {
		t.Errorf("handshake: version %d, endpoint %#x, acknowledged with %d", version, info, ack)
	}
	p.write(actSignaled, 0x40000110)
	if signaled, ack := p.number(), p.number(); signaled != 0 || ack != 0 {
		t.Errorf("ACT signaled %d, acknowledged with %d", signaled, ack)
	}
	p.signal(powerOn)
	c.want(rcSuccess, startup)
	p.write(responseSizes)
	sizes := p.read(p.number())
	want := []byte{12, 0, 0, 0, 0, 0, 1, 0x44, 10, 0, 0, 0, 0, 0, 0, 0}
	if ack := p.number(); !bytes.Equal(sizes, want) || ack != 0 {
		t.Errorf("sizes %x, acknowledged with %d; want %x", sizes, ack, want)
	}
	for _, message := range []int{presenceOn, presenceOff, testFailure, cancel} {
		p.signal(message)
	}
	p.signal(firmwareHash, 7)
}

// What is not of the protocol ends the connection, and nobody else's.
func TestNonsenseEndsTheConnection(t *testing.T) {
	s := simulator(t)
	bystander := dial(t, s.CommandAddr())
	for name, message := range map[string][]any{
		"unknown message":    {999},
		"a platform signal":  {powerOn},
		"client version 0":   {handshake, 0},
		"a command too long": {sendCommand, byte(0), 1<<20 + 1},
		"end of the session": {bye},
	} {
		c := dial(t, s.CommandAddr())
		c.write(message...)
		t.Log(name)
		c.ended()
	}
	p := dial(t, s.PlatformAddr())
	p.write(sendCommand)
	if ack := p.number(); ack != 1 {
		t.Errorf("a command at the platform port: acknowledged with %d", ack)
	}
	p.ended()
	bystander.run(0, startup)
}

// A client that goes away in the middle of a message leaves nothing behind: its
// command does not run, its hash data does not count.
func TestClientGoesAway(t *testing.T) {
	s := simulator(t)
	p := dial(t, s.PlatformAddr())
	p.signal(powerOn)
	gone := dial(t, s.CommandAddr())
	gone.write(sendCommand, byte(0), len(startup), startup[:11])
	gone.Close()
	c := dial(t, s.CommandAddr())
	c.want(rcInitialize, getRandom)
	gone = dial(t, s.CommandAddr())
	gone.write(sendCommand, byte(0), len(startup), startup) // and does not wait
	gone.Close()
	c.run(0, startup)
	c.want(rcSuccess, getRandom)
}

// A command whose size is not its own is answered, not refused: that is the TPM's
// part.
func TestCommandSize(t *testing.T) {
	s := simulator(t)
	c, p := dial(t, s.CommandAddr()), dial(t, s.PlatformAddr())
	p.signal(powerOn)
	c.want(rcCommandSize, append(bytes.Clone(startup), 0))
	c.want(rcCommandSize, startup[:11])
	c.want(rcCommandSize, append(bytes.Clone(startup), make([]byte, 100_000)...))
}

// Many clients use one TPM at the same time, each with its own responses.
func TestManyClients(t *testing.T) {
	s := simulator(t)
	p, c := dial(t, s.PlatformAddr()), dial(t, s.CommandAddr())
	p.signal(powerOn)
	c.want(rcSuccess, startup)
	var wg sync.WaitGroup
	for i := range 16 {
		c := dial(t, s.CommandAddr())
		wg.Go(func() {
			for range 20 {
				cmd := bytes.Clone(getRandom)
				cmd[11] = byte(i)
				c.write(sendCommand, byte(0), len(cmd), cmd)
				if n := c.number(); n != 12+i {
					t.Errorf("asked for %d bytes, the response has %d", i, n)
				}
				c.read(12 + i + 4)
			}
		})
	}
	wg.Wait()
}

// The simulator stops when a client demands it or its context is done: open
// connections end, and the ports are free again.
func TestStop(t *testing.T) {
	for name, end := range map[string]func(*testing.T, *server.MSSim, context.CancelFunc){
		"at the command port": func(t *testing.T, s *server.MSSim, _ context.CancelFunc) {
			dial(t, s.CommandAddr()).write(stop)
		},
		"at the platform port": func(t *testing.T, s *server.MSSim, _ context.CancelFunc) {
			dial(t, s.PlatformAddr()).write(stop)
		},
		"by the context": func(_ *testing.T, _ *server.MSSim, cancel context.CancelFunc) { cancel() },
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			s, done := simulatorUntil(t, ctx)
			idle := dial(t, s.CommandAddr())
			idle.run(0, startup)
			end(t, s, cancel)
			if err := <-done; err != nil {
				t.Errorf("serve: %v", err)
			}
			idle.ended()
			l, err := net.Listen("tcp", s.PlatformAddr().String())
			if err != nil {
				t.Fatal(err)
			}
			l.Close()
		})
	}
}
