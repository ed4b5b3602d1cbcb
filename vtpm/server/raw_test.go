package server_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"net"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/bootseal/bootseal/vtpm/server"
	"github.com/bootseal/bootseal/vtpm/vtpmtest"
)

// raw serves a started TPM on a unix socket. It waits for the rest of a command
// as long as the patience lasts.
func raw(t *testing.T, patience time.Duration) net.Addr {
	t.Helper()
	l, err := net.Listen("unix", filepath.Join(t.TempDir(), "tpm"))
	if err != nil {
		t.Fatal(err)
	}
	tpm := vtpmtest.Open(t)
	done := make(chan error, 1)
	ctx, cancel := context.WithCancel(t.Context())
	go func() { done <- server.ServeRawFor(ctx, l, tpm.TPM, patience) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("serve: %v", err)
		}
	})
	return l.Addr()
}

// response reads one response.
func (c *client) response() []byte {
	c.t.Helper()
	header := c.read(10)
	return append(header, c.read(int(binary.BigEndian.Uint32(header[2:]))-10)...)
}

// A command may come in pieces; the response comes in one.
func TestRawCommandInPieces(t *testing.T) {
	c := dial(t, raw(t, time.Hour))
	for _, pieces := range [][]int{{12}, {10, 2}, {3, 9}, {1, 1, 10}} {
		rest := getRandom
		for _, n := range pieces {
			c.write(rest[:n])
			rest = rest[n:]
		}
		buf := make([]byte, 4096)
		n, err := c.Read(buf)
		if err != nil || n != 20 {
			t.Fatalf("in pieces of %v: response %x, %v", pieces, buf[:n], err)
		}
	}
}

// A command that is not as long as its header says is answered, and the
// connection goes on.
func TestRawCommandSize(t *testing.T) {
	c := dial(t, raw(t, time.Millisecond))
	for name, cmd := range map[string][]byte{
		"longer":  append(bytes.Clone(getRandom), 1, 2, 3),
		"shorter": getRandom[:11],
		"tiny":    append([]byte{0x80, 0x01, 0, 0, 0, 1}, getRandom[6:]...),
		"huge":    append([]byte{0x80, 0x01, 0xFF, 0xFF, 0xFF, 0xFF}, getRandom[6:]...),
	} {
		c.write(cmd)
		if response := c.response(); binary.BigEndian.Uint32(response[6:]) != rcCommandSize {
			t.Errorf("%s than its header: response %x", name, response)
		}
	}
	c.write(getRandom)
	if response := c.response(); len(response) != 20 {
		t.Errorf("response %x", response)
	}
}

// Clients may come and go, and leave in the middle of a command.
func TestRawClients(t *testing.T) {
	addr := raw(t, time.Hour)
	for range 3 {
		c := dial(t, addr)
		c.write(getRandom)
		c.response()
		c.write(getRandom[:4])
		c.Close()
	}
}

// Commands are long and short by turns, however the pieces are cut.
func TestRawLongCommand(t *testing.T) {
	c := dial(t, raw(t, time.Hour))
	data := bytes.Repeat([]byte{7}, 1024)
	// TPM2_Hash of 1 KiB with SHA-256, without a ticket.
	hash := slices.Concat([]byte{0x80, 0x01, 0, 0, 0x04, 0x12, 0, 0, 0x01, 0x7D, 0x04, 0}, data, []byte{0, 0x0B, 0x40, 0, 0, 0x07})
	want := sha256.Sum256(data)
	for _, first := range []int{len(hash), 511, 512, 513, 10} {
		c.write(hash[:first])
		if first < len(hash) {
			time.Sleep(time.Millisecond)
			c.write(hash[first:])
		}
		if r := c.response(); len(r) < 44 || !bytes.Equal(r[12:44], want[:]) {
			t.Fatalf("%d bytes first: response %x", first, r)
		}
		c.write(getRandom)
		if r := c.response(); len(r) != 20 {
			t.Fatalf("a short command after that: response %x", r)
		}
	}
}
