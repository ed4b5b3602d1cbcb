package server

import "time"

// Exchange is a command that a TPM executed and its response. The slices are those of
// the connection: who wants them later copies them.
type Exchange struct {
	At                time.Time     // when the command began
	Took              time.Duration // until its response was there, and what it promises on disk
	Locality          uint8
	Command, Response []byte
}
