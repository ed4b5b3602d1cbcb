//go:build !unix

package store

import (
	"errors"
	"os"
)

func lockExclusive(string) (*os.File, error) {
	return nil, errors.New("a vTPM's state directory needs a Unix system")
}
