package main

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/bootseal/bootseal/eventlog"
	"github.com/spf13/cobra"
)

// runningLog is where Linux shows the log of the running boot.
const runningLog = "/sys/kernel/security/tpm0/binary_bios_measurements"

func (a *app) log() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "log",
		Short: "Read the event log of a measured boot",
		Long: `Read the event log in which firmware and boot loaders wrote down what they measured.

FILE is a binary log (TCG PC Client format), "-" for standard input. Linux shows the one
of the running boot, to root, at
` + runningLog,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(a.logShow(), a.logVerify(), a.logDiff())
	return cmd
}

// readLog reads the log at path, and says in one sentence why when it cannot.
func (a *app) readLog(path string) (*eventlog.Log, error) {
	if path == "-" {
		l, err := eventlog.Read(a.in, eventlog.Limits{})
		if err != nil {
			return nil, fmt.Errorf("standard input: %w", err)
		}
		a.warnUnwritten("standard input", l)
		return l, nil
	}
	f, err := openFile(path)
	if err != nil {
		return nil, err
	}
	l, err := eventlog.Read(f, eventlog.Limits{})
	if err := errors.Join(err, f.Close()); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	a.warnUnwritten(path, l)
	return l, nil
}

// warnUnwritten says what no specification allows at a log's end, and firmware leaves there.
func (a *app) warnUnwritten(path string, l *eventlog.Log) {
	if l.Unwritten > 0 {
		fmt.Fprintf(a.err, "bootseal: %s: %d bytes of 0xFF behind the last event are taken for memory that was never written\n", path, l.Unwritten)
	}
}

// openFile opens a file for reading, which a directory is not.
func openFile(path string) (io.ReadCloser, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err == nil && info.IsDir() {
		err = fmt.Errorf("%s is a directory", path)
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}
