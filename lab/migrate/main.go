// Command migrate moves machines that run, with their TPMs, and has the guest say what came along.
// docs/lab.md has a run.
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
	"path/filepath"
	"regexp"
	"time"

	"github.com/bootseal/bootseal/lab"
)

const usage = `Move machines that run under QEMU, with their vTPMs, and see whether all came along.

The guest holds keys, sessions (one with salt and encryption, one for a policy), contexts that it
saved, a hash in progress, a counter in NV and a failed authorization, and extends a PCR all the
time. After each move it uses all of it; the PCRs of its boot are compared here.

Usage: go run ./lab/migrate [flags]     (make lab-migrate installs what it needs)

  go run ./lab/migrate -list
  go run ./lab/migrate -run vtpm -o json

It needs QEMU, OVMF, swtpm and Debian's packages of shim, GRUB and the cloud kernel, which it
unpacks below a cache, and no root.

Exit codes: 0 all came along, 1 something did not, 2 not done.

Flags:
`

type flags struct {
	run, keep, cache, format string
	list                     bool
	patience                 time.Duration
}

func main() {
	var f flags
	flag.StringVar(&f.run, "run", "", "only scenarios whose name this regular `expression` matches")
	flag.BoolVar(&f.list, "list", false, "print the scenarios with their moves, and boot nothing")
	flag.StringVar(&f.format, "o", "text", "output `format`: text (Markdown) or json")
	flag.StringVar(&f.keep, "keep", "lab-migrate", "`folder` for consoles and logs when something does not come along")
	flag.StringVar(&f.cache, "cache", "", "`folder` for unpacked packages (default bootseal/lab in the user's cache)")
	flag.DurationVar(&f.patience, "patience", 10*time.Minute, "`time` that a boot or a move may take")
	flag.Usage = func() {
		fmt.Fprint(flag.CommandLine.Output(), usage)
		flag.PrintDefaults()
	}
	flag.Parse()
	if flag.NArg() > 0 || (f.format != "text" && f.format != "json") {
		flag.Usage()
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	right, err := f.do(ctx, os.Stdout, os.Stderr)
	if err != nil {
		fmt.Fprintln(os.Stderr, "lab/migrate:", err)
		os.Exit(2)
	}
	if !right {
		os.Exit(1)
	}
}

// do runs what the flags say. All is right when everything came along.
func (f flags) do(ctx context.Context, out, errOut io.Writer) (right bool, err error) {
	chosen, err := f.chosen()
	if err != nil {
		return false, err
	}
	if f.list {
		printList(out, chosen)
		return true, nil
	}
	if f.cache, err = lab.Cache(f.cache); err != nil {
		return false, err
	}
	work, err := os.MkdirTemp("", "migrate")
	if err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(work)) }()
	began := time.Now()
	y, err := newYard(ctx, work, f.cache, func(line string) {
		fmt.Fprintf(errOut, "%5.0f s  %s\n", time.Since(began).Seconds(), line)
	})
	if err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, y.close()) }()
	report := report{Versions: y.versions}
	for _, s := range chosen {
		r, err := s.run(ctx, y, f.patience)
		report.Scenarios = append(report.Scenarios, r)
		if err == nil {
			continue
		}
		if ctx.Err() != nil {
			return false, errors.New("interrupted")
		}
		kept, keepErr := y.keepLogs(filepath.Join(f.keep, s.Name), err)
		if err := errors.Join(report.print(out, f.format), keepErr); err != nil {
			return false, err
		}
		var w wrong
		if !errors.As(err, &w) {
			return false, fmt.Errorf("%w; consoles and logs are in %s", err, kept)
		}
		fmt.Fprintf(errOut, "%s; consoles and logs are in %s\n", err, kept)
		return false, nil
	}
	return true, report.print(out, f.format)
}

func (f flags) chosen() ([]scenario, error) {
	pattern, err := regexp.Compile(f.run)
	if err != nil {
		return nil, fmt.Errorf("-run: %w", err)
	}
	var out []scenario
	for _, s := range scenarios() {
		if pattern.MatchString(s.Name) {
			out = append(out, s)
		}
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("-run %s: no scenario has such a name; -list shows them", pattern)
	}
	return out, nil
}

// result is what came of a move.
type result struct {
	Move     string  `json:"move"`
	Seconds  float64 `json:"seconds"`
	Commands int     `json:"commands,omitempty"` // that the guest had executed meanwhile
	Wrong    string  `json:"wrong,omitempty"`
}

type scenarioResult struct {
	Name  string   `json:"name"`
	What  string   `json:"what"`
	Moves []result `json:"moves"`
}

// run boots a machine and makes the moves. What a move lost is a wrong.
func (s scenario) run(ctx context.Context, y *yard, patience time.Duration) (scenarioResult, error) {
	out := scenarioResult{Name: s.Name, What: s.What}
	j := &journey{yard: y}
	if err := y.newMachine(ctx); err != nil {
		return out, err
	}
	t, err := s.TPM(y)
	if err != nil {
		return out, err
	}
	for i, m := range s.Moves {
		began := time.Now()
		j.worked = 0
		err := func() error {
			limited, cancel := context.WithTimeout(ctx, patience)
			defer cancel()
			if i == 0 {
				if err := j.boot(limited, t); err != nil {
					return err
				}
			}
			return m.do(limited, j)
		}()
		r := result{Move: m.What, Seconds: time.Since(began).Seconds(), Commands: j.worked}
		if err != nil {
			r.Wrong = err.Error()
		}
		out.Moves = append(out.Moves, r)
		if err != nil {
			return out, fmt.Errorf("%s: %s: %w", s.Name, m.What, err)
		}
		y.progress(fmt.Sprintf("%s: %s (%.1f s)", s.Name, m.What, r.Seconds))
	}
	return out, nil
}

// report is "-o json".
type report struct {
	Versions  []version        `json:"versions"`
	Scenarios []scenarioResult `json:"scenarios"`
}

func (r report) print(w io.Writer, format string) error {
	if format == "json" {
		e := json.NewEncoder(w)
		e.SetIndent("", "  ")
		return e.Encode(r)
	}
	for _, s := range r.Scenarios {
		fmt.Fprintf(w, "| %s: %s | | s |\n|---|---|---:|\n", s.Name, s.What)
		for _, m := range s.Moves {
			came := "yes"
			if m.Wrong != "" {
				came = "NO"
			}
			fmt.Fprintf(w, "| %s | %s | %.1f |\n", m.Move, came, m.Seconds)
		}
		fmt.Fprintln(w)
	}
	return nil
}

func printList(w io.Writer, list []scenario) {
	for _, s := range list {
		fmt.Fprintf(w, "%s: %s\n", s.Name, s.What)
		for _, m := range s.Moves {
			fmt.Fprintf(w, "  %s\n", m.What)
		}
	}
}

// keepLogs copies consoles and logs to a folder, with what went wrong.
func (y *yard) keepLogs(dir string, why error) (string, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return dir, err
	}
	for _, pattern := range []string{"*.console", "*.log"} {
		names, err := filepath.Glob(filepath.Join(y.work, pattern))
		if err != nil {
			return dir, err
		}
		for _, name := range names {
			data, err := os.ReadFile(name)
			if err == nil {
				err = os.WriteFile(filepath.Join(dir, filepath.Base(name)), data, 0o644)
			}
			if err != nil {
				return dir, err
			}
		}
	}
	return dir, os.WriteFile(filepath.Join(dir, "what.txt"), []byte(why.Error()+"\n"), 0o644)
}
