package server

import (
	"errors"
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
func linger(conn net.Conn) net.Conn {
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
	return &lingerConn{Conn: conn, file: os.NewFile(uintptr(fd), "client")}
}

// takeOver returns another descriptor of the socket, which now blocks, within limits.
func takeOver(old int) (fd int, err error) {
	fd, err = unix.FcntlInt(uintptr(old), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return -1, err
	}
	if err = setTimeout(fd, unix.SO_RCVTIMEO, lingerTime); err == nil {
		if err = setTimeout(fd, unix.SO_SNDTIMEO, messageTimeout); err == nil {
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
	file *os.File

	mu       sync.Mutex
	deadline time.Time // of reads
	closed   bool
	parked   net.Conn // the socket in the poller, while a read waits there
}

func (c *lingerConn) Read(p []byte) (int, error) {
	if d := c.readDeadline(); !d.IsZero() {
		if err := c.await(d); err != nil {
			return 0, err
		}
	}
	for {
		n, err := c.file.Read(p)
		if !errors.Is(err, syscall.EAGAIN) {
			return n, err
		}
		if err := c.park(); err != nil {
			return 0, err
		}
	}
}

// park waits in the poller until there is something to read. Where there is no
// descriptor left for that, it does not wait.
func (c *lingerConn) park() error {
	conn, err := net.FileConn(c.file)
	if err != nil {
		return nil
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
	raw, err := conn.(syscall.Conn).SyscallConn()
	if err != nil {
		return err
	}
	// What came before the poller was asked does not wake it.
	return raw.Read(func(fd uintptr) bool { return readable(int(fd), 0) })
}

// unpark makes the socket block again, which the poller had changed.
func (c *lingerConn) unpark() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.parked = nil
	c.control(func(fd int) { unix.SetNonblock(fd, false) })
}

// await waits until there is something to read, until the deadline.
func (c *lingerConn) await(deadline time.Time) error {
	ready := false
	err := c.control(func(fd int) { ready = readable(fd, time.Until(deadline)) })
	if err == nil && !ready {
		err = os.ErrDeadlineExceeded
	}
	return err
}

// readable reports whether a read of the socket returns at once, or will within wait.
func readable(fd int, wait time.Duration) bool {
	end := time.Now().Add(wait)
	for {
		ms := max(time.Until(end)+time.Millisecond-1, 0) / time.Millisecond
		n, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, int(ms))
		if err != unix.EINTR {
			return n != 0 // after another error a read says what is wrong
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

func (c *lingerConn) Write(p []byte) (int, error) {
	n, err := c.file.Write(p)
	if errors.Is(err, syscall.EAGAIN) {
		err = os.ErrDeadlineExceeded
	}
	return n, err
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

func (c *lingerConn) readDeadline() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.deadline
}

// SetReadDeadline is for reads that begin after it.
func (c *lingerConn) SetReadDeadline(t time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.deadline = t
	return nil
}

// SetWriteDeadline gives each write that begins after it as long as there is now until
// the deadline.
func (c *lingerConn) SetWriteDeadline(t time.Time) error {
	wait := messageTimeout
	if !t.IsZero() {
		wait = time.Until(t)
	}
	var setErr error
	err := c.control(func(fd int) { setErr = setTimeout(fd, unix.SO_SNDTIMEO, wait) })
	return errors.Join(err, setErr)
}

func (c *lingerConn) SetDeadline(t time.Time) error {
	return errors.Join(c.SetReadDeadline(t), c.SetWriteDeadline(t))
}
