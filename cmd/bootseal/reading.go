package main

import (
	"fmt"
	"os"
	"time"

	"golang.org/x/term"
)

// progress shows which file is being read, as step does.
func (a *app) progress(path string) { a.step("reading " + path) }

// step shows, on a terminal and after a second, what is being done.
func (a *app) step(doing string) {
	f, ok := a.err.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return
	}
	if a.began.IsZero() {
		a.began = time.Now()
	}
	if time.Since(a.began) > time.Second {
		fmt.Fprintf(a.err, "\r\x1b[K%s", fit(doing, width(a.err)-1))
		a.showing = true
	}
}

// doneReading takes the progress away.
func (a *app) doneReading() {
	if a.showing {
		fmt.Fprint(a.err, "\r\x1b[K")
		a.showing = false
	}
}
