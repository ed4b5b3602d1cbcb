//go:build unix

package tpmlink

import (
	"io/fs"
	"os"
	"syscall"
)

// openDevice opens the file so that reading and writing block. os.OpenFile would hand
// it to the runtime's poller and make it non-blocking; Linux then sends commands in the
// background, and a read that comes before the answer gives 0 bytes, which looks like
// the end of the file (drivers/char/tpm/tpm-dev-common.c, tpm_common_read).
func openDevice(path string) (*os.File, error) {
	for {
		fd, err := syscall.Open(path, syscall.O_RDWR|syscall.O_CLOEXEC, 0)
		switch err {
		case nil:
			return os.NewFile(uintptr(fd), path), nil
		case syscall.EINTR:
		default:
			return nil, &fs.PathError{Op: "open", Path: path, Err: err}
		}
	}
}
