// Bootseal proves that a node's boot was not tampered with, and keeps its disks
// locked when it was. See the README for what it does, `bootseal help` for how.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
)

// Exit codes, the same for every verb.
const (
	exitOK    = 0 // done; a check says yes
	exitNo    = 1 // done; a check says no
	exitError = 2 // not done: wrong usage, bad input, no TPM, ...
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(run(ctx, verbOf(os.Args), os.Stdin, os.Stdout, os.Stderr))
}

// run runs one command line and returns its exit code.
func run(ctx context.Context, args []string, in io.Reader, out, errOut io.Writer) int {
	a := &app{in: in, out: out, err: errOut}
	root := a.command()
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	var no *noError
	switch {
	case err == nil:
		return exitOK
	case errors.As(err, &no):
		if no.reason != "" {
			fmt.Fprintf(errOut, "bootseal: %s\n", no.reason)
		}
		return exitNo
	default:
		fmt.Fprintf(errOut, "bootseal: %v\n", err)
		return exitError
	}
}
