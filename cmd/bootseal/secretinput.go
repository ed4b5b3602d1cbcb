package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"golang.org/x/term"
)

// maxSecret bounds a passphrase or PIN, in bytes.
const maxSecret = 4096

// secretFile reads a passphrase or PIN from a file, or from standard input for "-", to
// the last byte. The caller zeroes it.
func (a *app) secretFile(path string) ([]byte, error) {
	in := a.in
	if path != "-" {
		f, err := os.Open(path)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		in = f
	}
	// In one buffer of the full size, so that no copy is left behind when it grows.
	buf := make([]byte, maxSecret+1)
	n, err := io.ReadFull(in, buf)
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		err = nil
	}
	switch {
	case err == nil && n > maxSecret:
		err = fmt.Errorf("more than %d bytes", maxSecret)
	case err == nil && n == 0:
		err = errors.New("it is empty")
	}
	if err != nil {
		clear(buf)
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return buf[:n], nil
}

// errNoTerminal is returned where nobody can be asked.
var errNoTerminal = errors.New("there is no terminal")

// askSecret asks on the terminal, without an echo. The caller zeroes the answer.
func (a *app) askSecret(ctx context.Context, question string) ([]byte, error) {
	in, ok := a.in.(*os.File)
	if !ok || !term.IsTerminal(int(in.Fd())) {
		return nil, errNoTerminal
	}
	fd := int(in.Fd())
	before, err := term.GetState(fd)
	if err != nil {
		return nil, err
	}
	fmt.Fprint(a.err, question)
	type answer struct {
		secret []byte
		err    error
	}
	done := make(chan answer, 1)
	go func() {
		secret, err := term.ReadPassword(fd)
		done <- answer{secret, err}
	}()
	select {
	case got := <-done:
		fmt.Fprintln(a.err)
		if errors.Is(got.err, io.EOF) || got.err == nil && len(got.secret) == 0 {
			return nil, errors.New("nothing was typed")
		}
		return got.secret, got.err
	case <-ctx.Done(): // the echo comes back, whatever the reader still waits for
		fmt.Fprintln(a.err)
		return nil, errors.Join(ctx.Err(), term.Restore(fd, before))
	}
}

// readPIN returns the PIN of --pin-file, or asks for it: twice where it is a new one.
func (a *app) readPIN(ctx context.Context, file string, isNew bool) ([]byte, error) {
	if file != "" {
		pin, err := a.secretFile(file)
		if err != nil {
			return nil, fmt.Errorf("--pin-file: %w", err)
		}
		if pin = bytes.TrimRight(pin, "\r\n"); len(pin) == 0 {
			return nil, fmt.Errorf("--pin-file: %s: the PIN is empty", file)
		}
		return pin, nil
	}
	question := "PIN: "
	if isNew {
		question = "New PIN: "
	}
	pin, err := a.askSecret(ctx, question)
	if errors.Is(err, errNoTerminal) {
		return nil, errors.New("there is no terminal to ask for the PIN: give it with --pin-file FILE (- for standard input)")
	}
	if err != nil || !isNew {
		return pin, err
	}
	again, err := a.askSecret(ctx, "New PIN again: ")
	defer clear(again)
	if err == nil && !bytes.Equal(pin, again) {
		err = errors.New("the two PINs differ")
	}
	if err != nil {
		clear(pin)
		return nil, err
	}
	return pin, nil
}

// terminalOut reports whether the output is a terminal: a person sees it, and no file or
// log keeps it.
func (a *app) terminalOut() bool {
	f, ok := a.out.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}
