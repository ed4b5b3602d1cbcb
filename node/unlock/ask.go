package unlock

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"

	"github.com/bootseal/bootseal/internal/secretmem"
)

// Asker asks a person for a secret. The caller zeroes the answer, which is without a
// newline.
type Asker interface {
	Ask(ctx context.Context, prompt string) ([]byte, error)
}

// ErrNoAnswer is returned where nobody answers: no terminal, or its end.
var ErrNoAnswer = errors.New("nobody answers")

// maxAnswer is the longest answer in bytes; cryptsetup takes no longer passphrase from
// a terminal, either, than a multiple of recovery keys.
const maxAnswer = 4096

// Program asks by a program that writes the answer to its standard output: Debian's
// askpass, systemd-ask-password, plymouth. It gets this process's environment, in
// which askpass and cryptroot-unlock look for each other.
type Program struct {
	Path string
	Args []string // before the prompt
	// Joined: the prompt is not an argument of its own, but follows the last one.
	Joined bool
}

// Ask implements [Asker].
func (p Program) Ask(ctx context.Context, prompt string) ([]byte, error) {
	args := append([]string{}, p.Args...)
	if p.Joined {
		args[len(args)-1] += prompt
	} else {
		args = append(args, prompt)
	}
	cmd := exec.CommandContext(ctx, p.Path, args...)
	out := new(secretmem.Output)
	defer out.Clear()
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, out, os.Stderr
	if err := cmd.Run(); err != nil {
		return nil, fmt.Errorf("ask with %s: %w: %w", p.Path, ErrNoAnswer, err)
	}
	answer := bytes.TrimSuffix(out.Bytes(), []byte("\n"))
	if len(answer) > maxAnswer {
		return nil, fmt.Errorf("ask with %s: an answer of %d bytes: want at most %d", p.Path, len(answer), maxAnswer)
	}
	return bytes.Clone(answer), nil
}

// Lines takes answers from lines of input: where that is no terminal.
type Lines struct{ r *bufio.Reader }

// NewLines returns a reader of answers.
func NewLines(r io.Reader) *Lines { return &Lines{bufio.NewReaderSize(r, maxAnswer+2)} }

// Ask implements [Asker]. A last line without a newline counts.
func (l *Lines) Ask(context.Context, string) ([]byte, error) {
	line, err := l.r.ReadSlice('\n')
	defer clear(line)
	switch {
	case errors.Is(err, bufio.ErrBufferFull):
		return nil, fmt.Errorf("an answer of more than %d bytes", maxAnswer)
	case errors.Is(err, io.EOF) && len(line) == 0:
		return nil, ErrNoAnswer
	case err != nil && !errors.Is(err, io.EOF):
		return nil, fmt.Errorf("%w: %w", ErrNoAnswer, err)
	}
	return bytes.Clone(bytes.TrimRight(line, "\r\n")), nil
}
