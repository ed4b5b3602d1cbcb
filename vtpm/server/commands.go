package server

import (
	"errors"
	"net"
	"os"
	"time"
)

// firstRead is how much of a command is read first: nearly always all of it. A process may
// have thousands of clients, each with a buffer.
const firstRead = 512

// commands are a client's commands, one after another.
type commands struct {
	conn     net.Conn
	patience time.Duration     // for the rest of a command
	complete func([]byte) bool // whether it needs a rest
	buf      []byte
	deadline time.Time // of writes
}

func newCommands(conn net.Conn, patience time.Duration, complete func([]byte) bool) *commands {
	return &commands{conn: conn, patience: patience, complete: complete, buf: make([]byte, firstRead)}
}

// next reads one command: what comes at once, and then the rest until it is complete,
// which its header promises, as long as the patience lasts. The command is in memory
// that is used again.
func (c *commands) next() ([]byte, error) {
	n, err := c.conn.Read(c.buf)
	if err != nil {
		return nil, err
	}
	if c.complete(c.buf[:n]) {
		return c.buf[:n], nil
	}
	return c.rest(n)
}

// rest reads the rest of a command of which there are n bytes.
func (c *commands) rest(n int) ([]byte, error) {
	if small := c.buf; len(small) < rawBuffer {
		c.buf = make([]byte, rawBuffer)
		copy(c.buf, small)
		clear(small)
	}
	if err := c.conn.SetReadDeadline(time.Now().Add(c.patience)); err != nil {
		return nil, err
	}
	for n < len(c.buf) && !c.complete(c.buf[:n]) {
		m, err := c.conn.Read(c.buf[n:])
		n += m
		if errors.Is(err, os.ErrDeadlineExceeded) {
			break
		}
		if err != nil {
			return nil, err
		}
	}
	return c.buf[:n], c.conn.SetReadDeadline(time.Time{})
}

// respond writes the response in one piece. The client has messageTimeout to take it in,
// or half of it: a deadline for each response would cost more than the rest of this.
func (c *commands) respond(response []byte) error {
	if now := time.Now(); c.deadline.Sub(now) < messageTimeout/2 {
		c.deadline = now.Add(messageTimeout)
		if err := c.conn.SetWriteDeadline(c.deadline); err != nil {
			return err
		}
	}
	_, err := c.conn.Write(response)
	return err
}
