// Package tpmlink reaches a TPM outside of this process: a device file, or a socket
// behind which swtpm or bootseal's vTPM is.
package tpmlink

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"strings"

	"github.com/google/go-tpm/tpm2/transport"
)

// Device opens a TPM's device file, such as /dev/tpmrm0. Errors say what to do, and are
// [fs.ErrNotExist], [fs.ErrPermission], or EBUSY where another program has /dev/tpm0.
func Device(path string) (transport.TPMCloser, error) {
	f, err := openDevice(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("no TPM at %s: is it enabled in the firmware, or attached to the VM? (%w)", path, fs.ErrNotExist)
	case errors.Is(err, fs.ErrPermission):
		return nil, fmt.Errorf("%s: %w: be root, or a member of the group that owns it (often tss)", path, fs.ErrPermission)
	case err != nil:
		return nil, fmt.Errorf("open the TPM: %w", err)
	}
	return Stream{f}, nil
}

// Socket connects to a TPM's data channel: where is a path, or HOST:PORT.
func Socket(where string) (transport.TPMCloser, error) {
	network := "tcp"
	if strings.Contains(where, "/") || !strings.Contains(where, ":") {
		network = "unix"
	}
	conn, err := net.Dial(network, where)
	if err != nil {
		return nil, fmt.Errorf("connect to the TPM at %s: %w (is swtpm running, and is this its data channel?)", where, err)
	}
	return Stream{conn}, nil
}

// Stream is a TPM behind a byte stream: a command is written, and as many bytes
// are read as the response's header says.
type Stream struct{ io.ReadWriteCloser }

const (
	responseHeader  = 10
	maxResponseSize = 64 << 10
)

// Send implements transport.TPM.
func (s Stream) Send(command []byte) ([]byte, error) {
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
