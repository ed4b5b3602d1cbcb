// Command node tells stories of a Debian or Ubuntu node in LUKS2, with bootseal inside, each with real
// boots: QEMU, OVMF with Secure Boot, shim, GRUB, the distribution's kernel, and bootseal's vTPM. docs/lab.md says
// how to write one.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"regexp"
	"runtime"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/bootseal/bootseal/lab"
	"github.com/bootseal/bootseal/lab/matrix"
)

const usage = `Boot a Debian or Ubuntu node in LUKS2 under QEMU and run scenarios in it.

Usage: go run ./lab/node [flags]     (make lab installs what it needs)

  go run ./lab/node -list
  go run ./lab/node -run 'upgrade|recovery' -v
  go run ./lab/node -quick -record lab/matrix/boots.json

A scenario of a distribution whose archive cannot be reached is skipped, and without -foreign one
whose archive is not this machine's own distribution's.

Exit codes: 0 all scenarios passed, 1 one failed, 2 not done.

Flags:
`

type flags struct {
	run, keep, cache, deb string
	picture               string
	record                matrix.LedgerFile
	list, verbose, quick  bool
	foreign               bool
	beside                bool
	patience              time.Duration
	atATime               int
}

func main() {
	var f flags
	flag.StringVar(&f.run, "run", "", "only scenarios whose name this regular `expression` matches")
	flag.BoolVar(&f.list, "list", false, "print the scenarios, and boot nothing")
	flag.BoolVar(&f.quick, "quick", false, "only those whose first line says that they are quick")
	flag.BoolVar(&f.foreign, "foreign", false, "fetch packages from archives of other distributions, too: Ubuntu's")
	flag.BoolVar(&f.verbose, "v", false, "print what the scripts do, and the consoles")
	flag.BoolVar(&f.beside, "beside", false, "run all at a time, and show their consoles side by side")
	flag.StringVar(&f.picture, "picture", "", "write what the consoles show at the end, side by side, as SVG to this `file`")
	flag.StringVar((*string)(&f.record), "record", "", "add what came out as predicted to the ledger in this `file`, lab/matrix/boots.json of a checkout")
	flag.StringVar(&f.deb, "deb", "", "bootseal's Debian package (default: what make deb makes)")
	flag.StringVar(&f.keep, "keep", "lab-node", "`folder` for the consoles, logs and PCRs of each scenario")
	flag.StringVar(&f.cache, "cache", "", "`folder` for images and saved nodes (default bootseal/lab/node in the user's cache)")
	flag.IntVar(&f.atATime, "j", min(runtime.NumCPU(), 4), "`scenarios` that run at a time; each takes a processor and 1 GiB")
	flag.DurationVar(&f.patience, "patience", 20*time.Minute, "`time` that a node may take to do what is waited for")
	flag.Usage = func() {
		fmt.Fprint(flag.CommandLine.Output(), usage)
		flag.PrintDefaults()
	}
	flag.Parse()
	if flag.NArg() > 0 || f.atATime < 1 {
		flag.Usage()
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	passed, err := f.do(ctx, os.Stdout, os.Stderr)
	if err != nil {
		fmt.Fprintln(os.Stderr, "lab/node:", err)
		os.Exit(2)
	}
	if !passed {
		os.Exit(1)
	}
}

// do reports whether all scenarios passed.
func (f *flags) do(ctx context.Context, out, progress io.Writer) (bool, error) {
	chosen, err := f.choose()
	if err != nil {
		return false, err
	}
	if f.list {
		for _, s := range chosen {
			fmt.Fprintf(out, "%-18s %s\n", s.Name, s.Title)
		}
		return true, nil
	}
	if err := f.record.Check(); err != nil {
		return false, err
	}
	if f.beside {
		f.atATime = max(f.atATime, len(chosen))
	}
	l := &laboratory{keep: f.keep, cache: f.cache, deb: f.deb, foreign: f.foreign, patience: f.patience, say: lab.Sayer(progress),
		slots: make(chan struct{}, f.atATime)}
	columns := newBesides(nil, chosen)
	l.watch = columns.add
	switch {
	case f.beside:
		columns = newBesides(out, chosen)
		l.watch, l.say = columns.add, columns.note
	case f.verbose:
		l.watch = func(scenario, line string) { columns.add(scenario, line); l.say(scenario + " | " + printable(line)) }
	}
	done := make(chan struct{})
	var drawing sync.WaitGroup
	drawing.Go(func() { columns.show(done) })
	if l.work, err = os.MkdirTemp("", "lab-node-"); err != nil {
		return false, err
	}
	defer os.RemoveAll(l.work)
	if err := l.prepare(ctx); err != nil {
		return false, err
	}
	report, err := l.all(ctx, chosen)
	if report == nil {
		return false, err
	}
	recorded := f.record.Record("lab/node", &report.boots, l.say)
	if err != nil {
		return false, errors.Join(err, recorded)
	}
	close(done)
	drawing.Wait()
	if !f.beside {
		report.print(out)
	}
	return report.passed(), errors.Join(recorded, columns.end(report, f.picture))
}

func (f *flags) choose() ([]scenario, error) {
	pattern, err := regexp.Compile(f.run)
	if err != nil {
		return nil, fmt.Errorf("-run: %w", err)
	}
	all, err := allScenarios()
	if err != nil {
		return nil, err
	}
	chosen := slices.DeleteFunc(all, func(s scenario) bool { return !pattern.MatchString(s.Name) || (f.quick && !s.Quick) })
	if len(chosen) == 0 {
		return nil, fmt.Errorf("-run %s: no scenario has such a name; -list shows them", f.run)
	}
	return chosen, nil
}
