package cryptsetup

import (
	"errors"
	"fmt"
)

// What callers test for.
var (
	// ErrPassphrase: no keyslot opens with the passphrase.
	ErrPassphrase = errors.New("no keyslot opens with this passphrase")
	// ErrBusy: another program has the device.
	ErrBusy = errors.New("the device is in use by another program")
)

// Error is a run of cryptsetup that ended badly.
type Error struct {
	Action string
	// Code is the exit status, 0 where Err says more (cryptsetup(8), "RETURN CODES").
	Code   int
	Output string // what it wrote to its standard error, in one line
	Err    error
}

func (e *Error) Error() string {
	why := e.reason()
	if e.Output == "" || errors.Is(why, ErrPassphrase) {
		return fmt.Sprintf("%s: %v", e.Action, why)
	}
	return fmt.Sprintf("%s: %v: %s", e.Action, why, e.Output)
}

func (e *Error) Unwrap() error { return e.reason() }

func (e *Error) reason() error {
	if e.Err != nil {
		return e.Err
	}
	switch e.Code {
	case 1:
		return errors.New("cryptsetup refuses")
	case 2:
		return ErrPassphrase
	case 3:
		return errors.New("cryptsetup has not enough memory")
	case 4:
		return errors.New("cryptsetup cannot use the device")
	case 5:
		return ErrBusy
	}
	return fmt.Errorf("cryptsetup ended with status %d", e.Code)
}
