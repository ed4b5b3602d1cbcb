//go:build linux

// Bench measures bootseal's vTPM beside swtpm, from the client's side of a socket.
//
//	go run ./conformance/bench              every operation
//	go run ./conformance/bench RSA NV       those with RSA or NV in their names
//	go run ./conformance/bench -o json      for a program
//
// The servers take turns, a batch of commands each, so that they see the same machine:
// read the ratios, and compare no time with one of another run. p50 and p99 are from
// writing a command to having the whole response. CPU is what the server's threads used
// for a command, which a busy machine disturbs less. Where there is no swtpm,
// bootseal is measured alone. docs/performance.md says what was found.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout, os.Stderr); err != nil {
		fmt.Fprintf(os.Stderr, "bench: %v\n", err)
		os.Exit(2)
	}
}

// options are what the command line says.
type options struct {
	rounds  int
	scale   float64
	dir     string
	program string
	names   []string
}

func run(ctx context.Context, args []string, out, errOut io.Writer) error {
	var o options
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.SetOutput(errOut)
	flags.IntVar(&o.rounds, "rounds", 5, "how often each server has its turn with an operation")
	flags.Float64Var(&o.scale, "scale", 1, "how many commands a turn has, as a factor")
	flags.StringVar(&o.dir, "dir", "", "directory for states, on the disk to measure (default a temporary one)")
	flags.StringVar(&o.program, "bootseal", "", "the program to measure (default is built)")
	format := flags.String("o", "text", "text or json")
	if err := flags.Parse(args); errors.Is(err, flag.ErrHelp) {
		return nil
	} else if err != nil {
		return err
	}
	o.names = flags.Args()
	if *format != "text" && *format != "json" {
		return fmt.Errorf("-o %s: text or json", *format)
	}
	dir, err := os.MkdirTemp(o.dir, "vtpm-bench")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if o.program == "" {
		o.program = filepath.Join(dir, "bootseal")
		if text, err := exec.CommandContext(ctx, "go", "build", "-o", o.program, "github.com/bootseal/bootseal/cmd/bootseal").CombinedOutput(); err != nil {
			return fmt.Errorf("build bootseal: %w: %s", err, text)
		}
	}
	results, err := measure(ctx, dir, o, errOut)
	if err != nil {
		return err
	}
	if *format == "json" {
		return writeJSON(out, results)
	}
	return writeTable(out, results)
}

// wanted reports whether the operation is among those that were asked for.
func (o options) wanted(name string) bool {
	for _, part := range o.names {
		if strings.Contains(strings.ToLower(name), strings.ToLower(part)) {
			return true
		}
	}
	return len(o.names) == 0
}

// measure lets the servers take turns with each operation.
func measure(ctx context.Context, dir string, o options, progress io.Writer) ([]result, error) {
	servers, err := startServers(ctx, dir, o.program)
	if err != nil {
		return nil, err
	}
	defer func() {
		for _, s := range servers {
			s.stop()
		}
	}()
	var results []result
	for _, op := range operations() {
		if !o.wanted(op.name) {
			continue
		}
		fmt.Fprintf(progress, "%s ...\n", op.name)
		r := result{Operation: op.name}
		for _, s := range servers {
			if s.runs(op) {
				r.Servers = append(r.Servers, &measurement{Server: s.name})
			}
		}
		for range o.rounds {
			i := 0
			for _, s := range servers {
				if err := ctx.Err(); err != nil {
					return nil, err
				}
				if !s.runs(op) {
					continue
				}
				if err := s.turn(op, max(1, int(o.scale*float64(op.count))), r.Servers[i]); err != nil {
					return nil, fmt.Errorf("%s on %s: %w", op.name, s.name, err)
				}
				i++
			}
		}
		results = append(results, r)
	}
	return results, nil
}
