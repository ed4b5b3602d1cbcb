// Command predict boots machines that nobody has recorded, predicts each next boot beforehand,
// and says which PCRs came out as predicted: chain by change by PCR. docs/accuracy.md has what
// came of it.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"regexp"
	"runtime"
	"sync"
	"time"

	"github.com/bootseal/bootseal/lab"
	"github.com/bootseal/bootseal/lab/matrix"
)

const usage = `Boot new machines under QEMU, predict each next boot, and compare.

Each scenario boots a machine once, then changes it and boots it again, step by step. Every boot
but the first is predicted from what the boot before reported and from the disk. The matrix has
"yes" for a PCR that came out as predicted in four banks, "?" for one that was said to be
unknown, and "NO" for one that came out otherwise; then both logs, the PCRs and the console of
this boot are kept in a folder.

Usage: go run ./lab/predict [flags]     (make lab-predict installs what it needs)

  go run ./lab/predict -list
  go run ./lab/predict -run 'grub|uki-on' -o json
  go run ./lab/predict -run uki-off -record lab/matrix/boots.json

Exit codes: 0 all came out as predicted, 1 something did not, 2 not done.

Flags:
`

type flags struct {
	run, keep, cache, format string
	record                   matrix.LedgerFile
	list, booted             bool
	machines                 int
	patience                 time.Duration
}

func main() {
	var f flags
	flag.StringVar(&f.run, "run", "", "only scenarios whose name this regular `expression` matches")
	flag.BoolVar(&f.list, "list", false, "print the scenarios with their changes, and boot nothing")
	flag.StringVar(&f.format, "o", "text", "output `format`: text (Markdown) or json")
	flag.StringVar(&f.keep, "keep", "lab-predict", "`folder` for what is kept of wrong predictions")
	flag.StringVar(&f.cache, "cache", "", "`folder` for unpacked packages (default bootseal/lab in the user's cache)")
	flag.StringVar((*string)(&f.record), "record", "", "add what came out as predicted to the ledger in this `file`, lab/matrix/boots.json of a checkout")
	flag.BoolVar(&f.booted, "booted", false, "give predictions the files of the last boot, too; then nothing is recorded")
	flag.IntVar(&f.machines, "j", min(2, runtime.NumCPU()), "`machines` that run at a time; each takes a processor")
	flag.DurationVar(&f.patience, "patience", 10*time.Minute, "`time` that one boot may take")
	flag.Usage = func() {
		fmt.Fprint(flag.CommandLine.Output(), usage)
		flag.PrintDefaults()
	}
	flag.Parse()
	if flag.NArg() > 0 || (f.format != "text" && f.format != "json") || f.machines < 1 {
		flag.Usage()
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	allRight, err := f.do(ctx, os.Stdout, os.Stderr)
	if err != nil {
		fmt.Fprintln(os.Stderr, "lab/predict:", err)
		os.Exit(2)
	}
	if !allRight {
		os.Exit(1)
	}
}

// do reports whether no prediction was wrong.
func (f *flags) do(ctx context.Context, out, progress io.Writer) (bool, error) {
	pattern, err := regexp.Compile(f.run)
	if err != nil {
		return false, fmt.Errorf("-run: %w", err)
	}
	if err := f.record.Check(); err != nil {
		return false, err
	}
	if f.cache, err = lab.Cache(f.cache); err != nil {
		return false, err
	}
	work, err := os.MkdirTemp("", "lab-predict-")
	if err != nil {
		return false, err
	}
	say := lab.Sayer(progress)
	p, err := gather(ctx, f.cache, work, say)
	if err != nil {
		return false, errors.Join(err, os.RemoveAll(work))
	}
	scenarios, err := scenariosOf(ctx, p, pattern)
	if err != nil {
		return false, errors.Join(err, os.RemoveAll(work))
	}
	if f.list {
		printList(out, scenarios)
		return true, os.RemoveAll(work)
	}
	r := &runner{work: work, keep: f.keep, booted: f.booted, versions: p.Versions, progress: say,
		limits: func(ctx context.Context) (context.Context, context.CancelFunc) {
			return context.WithTimeout(ctx, f.patience)
		}}
	report, err := r.all(ctx, scenarios, f.machines)
	if f.format == "json" {
		err = errors.Join(err, encode(out, report))
	} else {
		report.Print(out)
	}
	if f.booted { // then predictions know more than every machine does of its last boot
		f.record = ""
	}
	recorded := f.record.Record("lab/predict", report, say)
	if err != nil && ctx.Err() == nil {
		return false, errors.Join(err, recorded) // with the consoles in the folder
	}
	if err != nil {
		err = errors.New("interrupted")
	}
	return !report.Wrong(), errors.Join(err, recorded, os.RemoveAll(work))
}

// scenariosOf returns the scenarios whose names match. It is the list of all: a new one is a
// literal, and a line here.
func scenariosOf(ctx context.Context, p *parts, pattern *regexp.Regexp) ([]scenario, error) {
	var out []scenario
	for _, of := range []func() (scenario, error){
		func() (scenario, error) { return grubFiles(p), nil },
		func() (scenario, error) { return grubMenu(p), nil },
		func() (scenario, error) { return grubFirmware(p) },
		func() (scenario, error) { return sdbootEntries(ctx, p) },
		func() (scenario, error) { return ukiUnsigned(ctx, p) },
		func() (scenario, error) { return ukiSigned(ctx, p) },
		func() (scenario, error) { return revoked(ctx, p) },
	} {
		s, err := of()
		if err != nil {
			return nil, err
		}
		if pattern.MatchString(s.Name) {
			out = append(out, s)
		}
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("-run %s: no scenario has such a name; -list shows them", pattern)
	}
	return out, nil
}

// all runs scenarios, some at a time. What could not be booted is in the error, and the others
// are run all the same.
func (r *runner) all(ctx context.Context, scenarios []scenario, atATime int) (*matrix.Report, error) {
	out := &matrix.Report{Scenarios: make([]matrix.Chain, len(scenarios))}
	errs := make([]error, len(scenarios))
	slots := make(chan struct{}, atATime)
	var all sync.WaitGroup
	for i, s := range scenarios {
		all.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			done, err := r.run(ctx, s)
			if errs[i] = err; err != nil {
				r.progress("not done: " + err.Error())
			}
			if done != nil {
				out.Scenarios[i] = *done
			}
		})
	}
	all.Wait()
	return out, errors.Join(errs...)
}

func encode(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(v)
}
