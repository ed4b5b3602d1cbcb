package host

import (
	"errors"
	"fmt"
	"runtime/debug"
)

// Errors that a caller tells apart.
var (
	ErrName     = errors.New("this is no name of an instance")
	ErrSpec     = errors.New("an instance cannot be made so")
	ErrNotFound = errors.New("there is no such instance")
	ErrExists   = errors.New("there is an instance of that name already")
	ErrState    = errors.New("that is not possible now")
	ErrBusy     = errors.New("something else is being done with the instance")
	ErrClosed   = errors.New("the host ends")
)

// contained calls f and makes its panic an error: what breaks is one instance.
func contained(f func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
	}()
	return f()
}
