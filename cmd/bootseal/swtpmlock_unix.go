//go:build unix

package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"
)

// isLockedByOther reports whether another process has locked the file as swtpm locks a
// state: the whole of it, by fcntl. A file that is not there is not locked.
func isLockedByOther(name string) (bool, error) {
	f, err := os.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("look whether swtpm is using the state: %w", err)
	}
	defer f.Close()
	lock := unix.Flock_t{Type: unix.F_RDLCK, Whence: io.SeekStart}
	if err := unix.FcntlFlock(f.Fd(), unix.F_GETLK, &lock); err != nil {
		return false, fmt.Errorf("look whether swtpm is using the state: %w", err)
	}
	return lock.Type != unix.F_UNLCK, nil
}
