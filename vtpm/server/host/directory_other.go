//go:build !unix

package host

import (
	"errors"
	"io"
	"io/fs"
	"os"
)

func private(fs.FileInfo) error { return nil }

func lockDirectory(*os.Root, string) (io.Closer, error) {
	return nil, errors.New("this system cannot lock a directory")
}
