package main

import (
	"errors"
	"os/exec"
	"strconv"
)

// exitCodeOf returns the exit code of a program that failed, or its error.
func exitCodeOf(err error) string {
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return strconv.Itoa(exit.ExitCode())
	}
	return err.Error()
}
