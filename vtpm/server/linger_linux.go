package server

import (
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// lingerTime is how long a read waits in the kernel before it waits in the runtime's
// poller.
const lingerTime = 20 * time.Millisecond

// linger returns the connection, which it closes, as one whose reads wait in the kernel
// for a while before they wait in the runtime's poller. A client that sends one command
// after another then costs two system calls for each, and no thread has to wake another
// one. A client that is silent for longer costs no thread. What is no socket stays as it
// is.
//
// The socket must leave the poller for that: while it is registered there, each message
// wakes the thread that polls.
//
// Each client that waits in the kernel has a thread. Where there is none left, it waits in
// the poller at once.
func linger(conn net.Conn, threads *Threads) net.Conn {
	source, ok := conn.(syscall.Conn)
	if !ok {
		return conn
	}
	raw, err := source.SyscallConn()
	if err != nil {
		return conn
	}
	fd, dupErr := -1, error(nil)
	if raw.Control(func(old uintptr) { fd, dupErr = takeOver(int(old)) }) != nil || dupErr != nil {
		return conn
	}
	conn.Close()
	return &lingerConn{Conn: conn, threads: threads, file: os.NewFile(uintptr(fd), "client")}
}

// takeOver returns another descriptor of the socket, which now blocks, within limits.
func takeOver(old int) (fd int, err error) {
	fd, err = unix.FcntlInt(uintptr(old), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return -1, err
	}
	if err = setTimeout(fd, unix.SO_RCVTIMEO, lingerTime); err == nil {
		if err = setTimeout(fd, unix.SO_SNDTIMEO, lingerTime); err == nil {
			err = unix.SetNonblock(fd, false)
		}
	}
	if err != nil {
		unix.Close(fd)
	}
	return fd, err
}

func setTimeout(fd, option int, d time.Duration) error {
	t := unix.NsecToTimeval(max(int64(d), int64(time.Microsecond))) // zero would be for ever
	return unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, option, &t)
}

// lingerConn is a socket outside of the poller. The connection that it was has the
// addresses, and is closed.
type lingerConn struct {
	net.Conn
	file    *os.File
	threads *Threads

	mu          sync.Mutex
	read, write time.Time // deadlines
	closed      bool
	parked      net.Conn // the socket in the poller, while a read or write waits there
}

func (c *lingerConn) Read(p []byte) (int, error) {
	deadline := c.deadline(&c.read)
	for {
		n, err := c.readNow(p, deadline.IsZero())
		if !errors.Is(err, syscall.EAGAIN) {
			return n, err
		}
		err = c.park(func(conn net.Conn) error {
			if err := conn.SetReadDeadline(deadline); err != nil {
				return err
			}
			raw, err := conn.(syscall.Conn).SyscallConn()
			if err != nil {
				return err
			}
			// What came before the poller was asked does not wake it.
			return raw.Read(func(fd uintptr) bool { return readable(int(fd)) })
		})
		switch {
		case errors.Is(err, syscall.EMFILE), errors.Is(err, syscall.ENFILE):
			time.Sleep(lingerTime) // there is no descriptor left for that
		case err != nil:
			return 0, err
		}
		if !deadline.IsZero() && time.Now().After(deadline) {
			return 0, os.ErrDeadlineExceeded
		}
	}
}

// readNow reads what is there. It may wait for a while, if there is a thread for it.
func (c *lingerConn) readNow(p []byte, wait bool) (n int, err error) {
	if wait && c.threads.enter() {
		defer c.threads.leave()
		return c.file.Read(p)
	}
	controlErr := c.control(func(fd int) { n, _, err = unix.Recvfrom(fd, p, unix.MSG_DONTWAIT) })
	switch {
	case controlErr != nil:
		return 0, controlErr
	case err == nil && n == 0:
		return 0, io.EOF
	}
	return max(n, 0), err
}

// park has f use the socket in the poller.
func (c *lingerConn) park(f func(net.Conn) error) error {
	conn, err := net.FileConn(c.file)
	if err != nil {
		return err
	}
	defer conn.Close()
	c.mu.Lock()
	if c.closed {
		c.mu.Unlock()
		return net.ErrClosed
	}
	c.parked = conn
	c.mu.Unlock()
	defer c.unpark()
	return f(conn)
}

// unpark makes the socket block again, which the poller had changed.
func (c *lingerConn) unpark() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.parked = nil
	c.control(func(fd int) { unix.SetNonblock(fd, false) })
}

// readable reports whether a read of the socket returns at once. After an error it does,
// and says what is wrong.
func readable(fd int) bool {
	for {
		n, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, 0)
		if err != unix.EINTR {
			return n != 0
		}
	}
}

// control runs f on the descriptor, which is not closed meanwhile.
func (c *lingerConn) control(f func(fd int)) error {
	raw, err := c.file.SyscallConn()
	if err != nil {
		return err
	}
	return raw.Control(func(fd uintptr) { f(int(fd)) })
}

// Write is done at once for a client that reads. For one that does not, it waits in the
// poller.
func (c *lingerConn) Write(p []byte) (int, error) {
	n, err := c.writeNow(p)
	if !errors.Is(err, syscall.EAGAIN) {
		return n, err
	}
	err = c.park(func(conn net.Conn) error {
		if err := conn.SetWriteDeadline(c.deadline(&c.write)); err != nil {
			return err
		}
		m, err := conn.Write(p[n:])
		n += m
		return err
	})
	return n, err
}

// writeNow writes what there is room for: all of it, or the error is EAGAIN.
func (c *lingerConn) writeNow(p []byte) (n int, err error) {
	if c.threads.enter() {
		defer c.threads.leave()
		return c.file.Write(p)
	}
	controlErr := c.control(func(fd int) {
		n, err = unix.SendmsgN(fd, p, nil, nil, unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL)
	})
	switch {
	case controlErr != nil:
		return 0, controlErr
	case err == nil && n < len(p):
		return n, syscall.EAGAIN
	}
	return max(n, 0), err
}

// Close ends a read that waits, wherever it does.
func (c *lingerConn) Close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return net.ErrClosed
	}
	c.closed = true
	c.control(func(fd int) { unix.Shutdown(fd, unix.SHUT_RDWR) })
	if c.parked != nil {
		c.parked.Close()
	}
	return c.file.Close()
}

func (c *lingerConn) deadline(of *time.Time) time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return *of
}

// SetReadDeadline is for reads that begin after it.
func (c *lingerConn) SetReadDeadline(t time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.read = t
	return nil
}

// SetWriteDeadline is for writes that begin after it.
func (c *lingerConn) SetWriteDeadline(t time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.write = t
	return nil
}

func (c *lingerConn) SetDeadline(t time.Time) error {
	return errors.Join(c.SetReadDeadline(t), c.SetWriteDeadline(t))
}
