//go:build linux

package main

import (
	"encoding/binary"
	"fmt"
	"time"

	"golang.org/x/sys/unix"
)

// client is a connection to a TPM's data channel: a blocking socket, so that the client
// adds two system calls and nothing else. It is a transport of go-tpm.
type client struct {
	fd   int
	buf  []byte
	last []byte // command that was sent
}

// connect connects to the unix socket once the TPM there answers.
func connect(path string, patience time.Duration) (*client, error) {
	for end := time.Now().Add(patience); ; time.Sleep(5 * time.Millisecond) {
		c, err := dial(path)
		if err == nil {
			return c, nil
		}
		if time.Now().After(end) {
			return nil, err
		}
	}
}

func dial(path string) (*client, error) {
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	if err := unix.Connect(fd, &unix.SockaddrUnix{Name: path}); err != nil {
		unix.Close(fd)
		return nil, fmt.Errorf("connect to %s: %w", path, err)
	}
	return &client{fd: fd, buf: make([]byte, 8192)}, nil
}

func (c *client) Close() error { return unix.Close(c.fd) }

// Send is exchange for go-tpm.
func (c *client) Send(cmd []byte) ([]byte, error) {
	c.last = append([]byte(nil), cmd...)
	r, err := c.exchange(cmd)
	return append([]byte(nil), r...), err
}

// exchange sends a command and returns the response, until the next call.
func (c *client) exchange(cmd []byte) ([]byte, error) {
	for rest := cmd; len(rest) > 0; {
		n, err := unix.Write(c.fd, rest)
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("send a command: %w", err)
		}
		rest = rest[n:]
	}
	have := 0
	for have < 10 || have < int(binary.BigEndian.Uint32(c.buf[2:])) {
		n, err := unix.Read(c.fd, c.buf[have:])
		if err == unix.EINTR {
			continue
		}
		if err != nil || n == 0 {
			return nil, fmt.Errorf("read a response, of which there are %d bytes: %w", have, err)
		}
		have += n
	}
	return c.buf[:have], nil
}

// run is exchange for a command that must succeed.
func (c *client) run(cmd []byte) ([]byte, error) {
	r, err := c.exchange(cmd)
	if err == nil && binary.BigEndian.Uint32(r[6:]) != 0 {
		err = fmt.Errorf("command %x: response code %#x", cmd[6:10], binary.BigEndian.Uint32(r[6:]))
	}
	return r, err
}
