package unlock

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"golang.org/x/term"
)

// Terminal asks on a terminal, with a star for each character. Control-U forgets what
// was typed, Control-C gives up.
type Terminal struct {
	In  *os.File
	Out io.Writer
}

// ErrInterrupted is returned where somebody pressed Control-C.
var ErrInterrupted = errors.New("interrupted")

// Ask implements [Asker].
func (t Terminal) Ask(ctx context.Context, prompt string) ([]byte, error) {
	state, err := term.MakeRaw(int(t.In.Fd()))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNoAnswer, err)
	}
	defer func() {
		_ = term.Restore(int(t.In.Fd()), state) // nothing better can be done
		fmt.Fprint(t.Out, "\n")
	}()
	fmt.Fprint(t.Out, readable(prompt))
	// A read cannot be called off: at the end of the context it is left behind.
	type result struct {
		answer []byte
		err    error
	}
	done := make(chan result, 1)
	go func() {
		answer, err := t.read()
		done <- result{answer, err}
	}()
	select {
	case r := <-done:
		return r.answer, r.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (t Terminal) read() ([]byte, error) {
	var line [maxAnswer]byte
	defer clear(line[:])
	n := 0
	erase := func(to int) {
		for ; n > to; n-- {
			fmt.Fprint(t.Out, "\b \b")
			line[n-1] = 0
		}
	}
	for {
		var key [1]byte
		if _, err := t.In.Read(key[:]); err != nil {
			return nil, fmt.Errorf("%w: %w", ErrNoAnswer, err)
		}
		switch c := key[0]; {
		case c == '\r' || c == '\n':
			return bytes.Clone(line[:n]), nil
		case c == 3: // Control-C
			return nil, ErrInterrupted
		case c == 4 && n == 0: // Control-D
			return nil, ErrNoAnswer
		case c == 0x7F || c == '\b':
			erase(max(n-1, 0))
		case c == 0x15: // Control-U
			erase(0)
		case c >= ' ' && n < len(line): // a passphrase may be UTF-8: a star for each byte
			line[n] = c
			n++
			fmt.Fprint(t.Out, "*")
		}
		key[0] = 0
	}
}
