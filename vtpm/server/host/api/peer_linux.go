package api

import (
	"errors"
	"fmt"
	"net"
	"unsafe"

	"golang.org/x/sys/unix"
)

// maxGroups is how many groups a process can be in (NGROUPS_MAX).
const maxGroups = 1 << 16

// peerOf returns who connected to a unix socket, as the kernel knows it (socket(7),
// SO_PEERCRED; unix(7)).
func peerOf(conn *net.UnixConn) (p Peer, err error) {
	raw, err := conn.SyscallConn()
	if err != nil {
		return p, err
	}
	controlErr := raw.Control(func(fd uintptr) {
		var cred *unix.Ucred
		if cred, err = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED); err != nil {
			return
		}
		p = Peer{UID: cred.Uid, PID: cred.Pid, GIDs: []uint32{cred.Gid}}
		var groups []uint32
		groups, err = peerGroups(fd)
		p.GIDs = append(p.GIDs, groups...)
	})
	if err := errors.Join(controlErr, err); err != nil {
		return Peer{}, fmt.Errorf("ask the kernel who connected: %w", err)
	}
	return p, nil
}

// peerGroups returns the supplementary groups of who connected (SO_PEERGROUPS), which x/sys
// has no function for.
func peerGroups(fd uintptr) ([]uint32, error) {
	groups := make([]uint32, 64)
	for {
		size := uint32(4 * len(groups))
		_, _, errno := unix.Syscall6(unix.SYS_GETSOCKOPT, fd, unix.SOL_SOCKET, unix.SO_PEERGROUPS,
			uintptr(unsafe.Pointer(&groups[0])), uintptr(unsafe.Pointer(&size)), 0)
		switch {
		case errno == 0:
			return groups[:size/4], nil
		case errno == unix.ERANGE && len(groups) < maxGroups:
			groups = make([]uint32, maxGroups)
		default:
			return nil, errno
		}
	}
}
