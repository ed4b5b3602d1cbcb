package host

import (
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"strconv"
)

// maxSocketPath is the longest path of a unix socket on Linux, in bytes.
const maxSocketPath = 107

// checkSocketPath returns an error for an instance whose sockets nobody could connect to.
func (h *Host) checkSocketPath(name string) error {
	if path := h.socketPath(name, controlName); len(path) > maxSocketPath {
		return fmt.Errorf("%w: the socket's path %s has %d bytes, and the system takes %d: choose a shorter name or directory",
			ErrSpec, path, len(path), maxSocketPath)
	}
	return nil
}

func (h *Host) socketPath(name, file string) string { return filepath.Join(h.dir.path, name, file) }

// listen listens on a socket of an instance, in the place of one that another process left
// behind. It is in its place with its owner and mode, or not at all.
func (h *Host) listen(name, file string, c Config) (l *net.UnixListener, err error) {
	mode, err := c.mode()
	if err != nil {
		return nil, err
	}
	temporary := filepath.Join(bindName, strconv.FormatUint(h.sockets.Add(1), 36))
	l, err = net.ListenUnix("unix", &net.UnixAddr{Name: filepath.Join(h.dir.path, temporary), Net: "unix"})
	if err != nil {
		return nil, err
	}
	l.SetUnlinkOnClose(false) // it gets another name
	if c.UID >= 0 || c.GID >= 0 {
		if err = h.dir.root.Lchown(temporary, c.UID, c.GID); err != nil {
			err = fmt.Errorf("give a socket to user %d and group %d: %w", c.UID, c.GID, err)
		}
	}
	if err == nil {
		err = h.dir.root.Chmod(temporary, mode)
	}
	if err == nil {
		err = h.dir.root.Rename(temporary, filepath.Join(name, file))
	}
	if err != nil {
		return nil, errors.Join(err, l.Close(), h.dir.root.Remove(temporary))
	}
	return l, nil
}

// unlisten removes the sockets of an instance that has ended.
func (h *Host) unlisten(name string) {
	for _, file := range []string{dataName, controlName} {
		h.dir.root.Remove(filepath.Join(name, file)) // the next start replaces what is left
	}
}
