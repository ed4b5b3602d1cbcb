//go:build !unix

package tpmlink

import "os"

func openDevice(path string) (*os.File, error) { return os.OpenFile(path, os.O_RDWR, 0) }
