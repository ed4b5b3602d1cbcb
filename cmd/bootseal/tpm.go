package main

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"strings"

	"github.com/bootseal/bootseal/vtpm"
	"github.com/bootseal/bootseal/vtpm/store"
	"github.com/google/go-tpm/tpm2"
	"github.com/google/go-tpm/tpm2/transport"
)

// defaultDevice is Linux's TPM device with a resource manager.
const defaultDevice = "/dev/tpmrm0"

const tpmUsage = `the TPM: device:PATH, swtpm:SOCKET or swtpm:HOST:PORT, embedded:DIR, or embedded:
(in memory); device:` + defaultDevice + ` where it exists`

const tpmChoices = `
  --tpm device:PATH       a TPM device, such as /dev/tpmrm0 (needs group tss, or root)
  --tpm swtpm:SOCKET      the data channel of swtpm or of bootseal's vTPM, a unix socket
  --tpm swtpm:HOST:PORT   the same over TCP
  --tpm embedded:DIR      a vTPM of bootseal's own with its state in DIR
  --tpm embedded:         the same in memory, gone at the end`

// openTPM opens the TPM that --tpm names.
func (a *app) openTPM() (transport.TPMCloser, error) {
	if a.tpm == "" {
		if _, err := os.Stat(defaultDevice); err != nil {
			return nil, fmt.Errorf("no TPM: %s does not exist; say which one to use:%s", defaultDevice, tpmChoices)
		}
		return openDevice(defaultDevice)
	}
	kind, where, ok := strings.Cut(a.tpm, ":")
	switch {
	case ok && kind == "device" && where != "":
		return openDevice(where)
	case ok && kind == "swtpm" && where != "":
		return openSocket(where)
	case ok && kind == "embedded":
		return a.openEmbedded(where)
	}
	return nil, fmt.Errorf("--tpm %s names no TPM; use one of:%s", a.tpm, tpmChoices)
}

func openDevice(path string) (transport.TPMCloser, error) {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("no TPM at %s: is it enabled in the firmware, or attached to the VM? Otherwise use one of:%s", path, tpmChoices)
	case errors.Is(err, fs.ErrPermission):
		return nil, fmt.Errorf("%s: permission denied: be root, or a member of the group that owns it (often tss)", path)
	case err != nil:
		return nil, fmt.Errorf("open the TPM: %w", err)
	}
	return stream{f}, nil
}

// openSocket connects to a TPM's data channel: where is a path, or HOST:PORT.
func openSocket(where string) (transport.TPMCloser, error) {
	network := "tcp"
	if strings.Contains(where, "/") || !strings.Contains(where, ":") {
		network = "unix"
	}
	conn, err := net.Dial(network, where)
	if err != nil {
		return nil, fmt.Errorf("connect to the TPM at %s: %w (is swtpm running, and is this its data channel?)", where, err)
	}
	return stream{conn}, nil
}

// stream is a TPM behind a byte stream: a command is written, and as many bytes
// are read as the response's header says.
type stream struct{ io.ReadWriteCloser }

const (
	responseHeader  = 10
	maxResponseSize = 64 << 10
)

// Send implements transport.TPM.
func (s stream) Send(command []byte) ([]byte, error) {
	if _, err := s.Write(command); err != nil {
		return nil, fmt.Errorf("send a command to the TPM: %w", err)
	}
	// A device gives a response in one read, a socket in as many as it likes.
	buf := make([]byte, maxResponseSize)
	n, err := io.ReadAtLeast(s, buf, responseHeader)
	if err != nil {
		return nil, fmt.Errorf("read the TPM's response: %w", err)
	}
	size := int(binary.BigEndian.Uint32(buf[2:]))
	if size < responseHeader || size > len(buf) || n > size {
		return nil, fmt.Errorf("read the TPM's response: its header says %d bytes, %d came", size, n)
	}
	if _, err := io.ReadFull(s, buf[n:size]); err != nil {
		return nil, fmt.Errorf("read the TPM's response: %w", err)
	}
	return buf[:size], nil
}

// openEmbedded starts a vTPM in this process: a boot of its own, whose PCRs hold
// nothing yet.
func (a *app) openEmbedded(dir string) (transport.TPMCloser, error) {
	e := new(embedded)
	var options vtpm.Options
	if dir != "" {
		state, err := a.openEmbeddedState(dir)
		if err != nil {
			return nil, err
		}
		options.Store, e.state = state, state
	}
	var err error
	if e.TPM, err = vtpm.New(options); err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", dir, err), e.closeState())
	}
	if _, err := (tpm2.Startup{StartupType: tpm2.TPMSUClear}).Execute(e.TPM); err != nil {
		return nil, errors.Join(fmt.Errorf("start the vTPM: %w", err), e.closeState())
	}
	return e, nil
}

// embedded is a vTPM with its state's directory, nil when it is in memory.
type embedded struct {
	*vtpm.TPM
	state *store.Directory
}

// Close shuts the vTPM down in order.
func (e *embedded) Close() error {
	_, err := (tpm2.Shutdown{ShutdownType: tpm2.TPMSUClear}).Execute(e.TPM)
	return errors.Join(err, e.closeState())
}

func (e *embedded) closeState() error {
	if e.state == nil {
		return nil
	}
	return e.state.Close()
}
