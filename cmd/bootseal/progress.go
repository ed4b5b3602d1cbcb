package main

import (
	"fmt"
	"os"
	"time"

	"golang.org/x/term"
)

const (
	// progressDelay is how long something may take before a person wants to know why.
	progressDelay = time.Second
	progressStep  = 200 * time.Millisecond
)

// during does f, and says on a terminal what is being done when it takes long.
func (a *app) during(what string, f func() error) error {
	out, ok := a.err.(*os.File)
	if !ok || !term.IsTerminal(int(out.Fd())) {
		return f()
	}
	done := make(chan error, 1)
	go func() { done <- f() }()
	begin, wait := time.Now(), time.NewTimer(progressDelay)
	defer wait.Stop()
	said := false
	for {
		select {
		case err := <-done:
			if said {
				fmt.Fprint(out, "\r\x1b[K")
			}
			return err
		case <-wait.C:
			said = true
			fmt.Fprintf(out, "\r\x1b[K%s ... %.1f s", what, time.Since(begin).Seconds())
			wait.Reset(progressStep)
		}
	}
}
