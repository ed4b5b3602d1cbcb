//go:build !unix

package ca

import "errors"

func lock(string) (func(), error) {
	return nil, errors.New("making a CA needs a Unix system")
}
