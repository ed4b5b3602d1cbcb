//go:build !linux

package main

import (
	"errors"
	"os"
)

func newProxyDevice() (*os.File, string, error) {
	return nil, "", errors.New("only Linux has it")
}
