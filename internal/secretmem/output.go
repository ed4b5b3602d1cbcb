package secretmem

import (
	"errors"
	"io"
)

// Output takes a secret that a program writes: give it to os/exec as Stdout. It keeps
// it in one place, where it can be zeroed, and reads by itself, so that os/exec
// has no buffer of its own. The zero value is ready.
type Output struct {
	buf [8192]byte
	n   int
}

var errMuch = errors.New("it writes more than expected")

// ReadFrom implements io.ReaderFrom.
func (o *Output) ReadFrom(r io.Reader) (int64, error) {
	for read := int64(0); ; {
		n, err := r.Read(o.buf[o.n:])
		o.n += n
		read += int64(n)
		switch {
		case errors.Is(err, io.EOF):
			return read, nil
		case err != nil:
			return read, err
		case o.n == len(o.buf):
			return read, errMuch
		}
	}
}

// Write implements io.Writer.
func (o *Output) Write(p []byte) (int, error) {
	n := copy(o.buf[o.n:], p)
	o.n += n
	if n < len(p) {
		return n, errMuch
	}
	return n, nil
}

// Bytes is what was written. It shares the output's memory.
func (o *Output) Bytes() []byte { return o.buf[:o.n] }

// Clear forgets it.
func (o *Output) Clear() {
	clear(o.buf[:])
	o.n = 0
}
