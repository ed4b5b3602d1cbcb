package server_test

import (
	"bytes"
	"encoding/binary"
	"io"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/bootseal/bootseal/vtpm"
	"github.com/bootseal/bootseal/vtpm/server"
)

// Cloud Hypervisor's way: it asks before it starts the TPM, demands that there was no dynamic
// launch, and takes one receive for a whole response. On a socket that keeps what each write
// had apart, a response in two writes would be seen.
func TestSwtpmAsCloudHypervisorStartsIt(t *testing.T) {
	v := newVM(t, server.SwtpmOptions{})
	v.data.Close()
	v.data = v.passKind(t, syscall.SOCK_SEQPACKET)
	v.must(ctlCapability)
	const needed = 1<<0 | 1<<1 | 1<<2 | 1<<3 | 1<<7 | 1<<12 | 1<<13 // INIT to SET_BUFFERSIZE
	if caps := v.control.u32(); caps&needed != needed {
		t.Errorf("capabilities %#x, without some of %#x", caps, needed)
	}
	v.must(ctlStop) // before there was anything to stop
	v.must(ctlSetBuffer, 4096)
	v.control.read(12)
	v.must(ctlInit, 0)
	v.must(ctlGetEstablished)
	if answer := v.control.read(4); answer[0] != 0 {
		t.Errorf("established: %x", answer)
	}
	v.must(ctlSetLocality, 0)
	commands := map[string][]byte{
		"startup":    startup,
		"get random": getRandom,
		"a long one": {0x80, 0x01, 0, 0, 0, 22, 0, 0, 0x01, 0x7A, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 1, 0}, // all commands
	}
	for _, name := range []string{"startup", "get random", "a long one"} {
		v.data.write(commands[name])
		response := make([]byte, 8192)
		n, err := v.data.Read(response)
		if err != nil {
			t.Fatal(err)
		}
		if n < 10 || int(binary.BigEndian.Uint32(response[2:])) != n {
			t.Errorf("%s: one receive has %d bytes: %x", name, n, response[:min(n, 16)])
		}
	}
}

// A state may come in any pieces: QEMU writes the header and the blob, a slow network less.
func TestSwtpmBlobInPieces(t *testing.T) {
	v := newVM(t, server.SwtpmOptions{Init: true, Startup: startup})
	blob := v.fetch(1)
	v.must(ctlStop)
	message := append(ctlMessage(ctlSetBlob, 0, 1, uint32(len(blob))), blob...)
	for _, n := range []int{1, 3, 5, 6, 2, 1000} { // into the code, the fields, the blob
		n = min(n, len(message))
		v.control.write(message[:n])
		message = message[n:]
	}
	v.control.write(message)
	if result := v.control.u32(); result != 0 {
		t.Errorf("result %#x", result)
	}
	v.must(ctlInit, 0)
}

// A character device has a command in each read, and takes a response in one write. Serve
// ends with the device.
func TestSwtpmDevice(t *testing.T) {
	fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_SEQPACKET, 0)
	if err != nil {
		t.Fatal(err)
	}
	device, kernel := os.NewFile(uintptr(fds[0]), "device"), os.NewFile(uintptr(fds[1]), "kernel")
	defer device.Close()
	s, err := server.NewSwtpm(server.SwtpmOptions{
		Device: device, Init: true, Startup: startup, AllowSetLocality: true,
		Open: func() (*vtpm.TPM, io.Closer, error) {
			tpm, err := vtpm.New(vtpm.Options{})
			return tpm, nil, err
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- s.Serve(t.Context()) }()
	ask := func(cmd []byte) []byte {
		if _, err := kernel.Write(cmd); err != nil {
			t.Fatal(err)
		}
		response := make([]byte, 4096)
		n, err := kernel.Read(response)
		if err != nil {
			t.Fatal(err)
		}
		return response[:n]
	}
	if response := ask(getRandom); len(response) != 20 {
		t.Errorf("response %x", response)
	}
	if response := ask([]byte{0x80, 0x01, 0, 0, 0, 11, 0x20, 0, 0x10, 0, 2}); !bytes.Equal(response[6:], []byte{0, 0, 0, 0}) {
		t.Errorf("locality 2: %x", response)
	}
	if response := ask(getRandom[:8]); response[8]|response[9] == 0 { // not: wait for the rest
		t.Errorf("half a command: %x", response)
	}
	kernel.Close()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// Each channel may be a listener or a connected socket on TCP, too.
func TestSwtpmOverTCP(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	data, err := net.Listen("unix", filepath.Join(t.TempDir(), "data"))
	if err != nil {
		t.Fatal(err)
	}
	s, err := server.NewSwtpm(server.SwtpmOptions{
		Control: l, Data: data, Disconnect: true,
		Open: func() (*vtpm.TPM, io.Closer, error) {
			tpm, err := vtpm.New(vtpm.Options{})
			return tpm, nil, err
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- s.Serve(t.Context()) }()
	v := &vm{control: dial(t, l.Addr())}
	v.must(ctlInit, 0)
	if result := v.tell(ctlSetDataFD); result != badParameter {
		t.Errorf("a data channel over TCP: result %#x", result)
	}
	c := dial(t, data.Addr())
	c.write(startup)
	c.response()
	if _, err := c.Read(make([]byte, 1)); err != io.EOF {
		t.Errorf("the connection goes on after a response: %v", err)
	}
	v.must(ctlShutdown)
	if err := <-done; err != nil {
		t.Error(err)
	}
}
