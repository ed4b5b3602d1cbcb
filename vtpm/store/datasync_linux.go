package store

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// datasync leaves out the file's times, which would be a write of their own.
func datasync(f *os.File) error {
	for {
		err := unix.Fdatasync(int(f.Fd()))
		switch {
		case err == nil:
			return nil
		case !errors.Is(err, unix.EINTR):
			return &os.PathError{Op: "fdatasync", Path: f.Name(), Err: err}
		}
	}
}
