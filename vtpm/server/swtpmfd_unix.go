//go:build unix

package server

import (
	"net"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// maxPassed is how many descriptors of one message are looked at: one is for us.
const maxPassed = 4

// receive reads what is there, and the socket that a client passes with it
// (SCM_RIGHTS) over a unix socket. Further descriptors are closed.
func receive(conn net.Conn, buf []byte) (int, net.Conn, error) {
	u, ok := conn.(*net.UnixConn)
	if !ok {
		n, err := conn.Read(buf)
		return n, nil, err
	}
	oob := make([]byte, unix.CmsgSpace(4*maxPassed))
	n, oobn, _, _, err := u.ReadMsgUnix(buf, oob)
	if err != nil {
		return n, nil, err
	}
	if n == 0 {
		return 0, nil, net.ErrClosed
	}
	return n, passedConn(oob[:oobn]), nil
}

// passedConn returns the first descriptor as a connection, or nil if there is none or
// it is none.
func passedConn(oob []byte) (conn net.Conn) {
	messages, err := unix.ParseSocketControlMessage(oob)
	if err != nil {
		return nil
	}
	for _, m := range messages {
		fds, err := unix.ParseUnixRights(&m)
		if err != nil {
			continue
		}
		for _, fd := range fds {
			syscall.CloseOnExec(fd)
			f := os.NewFile(uintptr(fd), "passed")
			if conn == nil {
				conn, _ = net.FileConn(f) // which has a descriptor of its own
			}
			f.Close()
		}
	}
	return conn
}
