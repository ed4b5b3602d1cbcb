// Command fleet has many guests' TPM traffic, recorded from real boots, come at once: to one `bootseal
// vtpm serve`, and in turns with it to as many processes of swtpm. docs/performance.md has a run.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"text/tabwriter"
	"time"
)

const usage = `Replay what guests sent to their TPMs in real boots, all at once.

Each guest has a TPM with the state of before its boot. Every response must have the code that
was recorded, and the PCRs at the end must be the boot's. The table has the rate, how long
commands took from sending to having the whole response, and what the servers used; bootseal and
swtpm take turns, with new TPMs each.

Usage: go run ./lab/fleet [flags] [RECORDING...]

  go run ./lab/fleet -guests 50 -rounds 3
  go run ./lab/fleet -record lab/fleet/testdata/grub.txt.gz   # a new boot; needs what lab-migrate needs

Exit codes: 0 all as recorded, 1 something was not, 2 not done.

Flags:
`

type flags struct {
	guests, rounds           int
	record, format, bootseal string
	cache                    string
}

func main() {
	var f flags
	flag.IntVar(&f.guests, "guests", 50, "how many `guests` there are at once; they share the recordings")
	flag.IntVar(&f.rounds, "rounds", 3, "how many `turns` each server has")
	flag.StringVar(&f.bootseal, "bootseal", "", "the `program` to measure (default is built)")
	flag.StringVar(&f.format, "o", "text", "output `format`: text or json")
	flag.StringVar(&f.record, "record", "", "boot a machine and write its traffic to a `file`")
	flag.StringVar(&f.cache, "cache", "", "`folder` for unpacked packages (default bootseal/lab in the user's cache)")
	flag.Usage = func() {
		fmt.Fprint(flag.CommandLine.Output(), usage)
		flag.PrintDefaults()
	}
	flag.Parse()
	if f.guests < 1 || f.rounds < 1 || (f.format != "text" && f.format != "json") {
		flag.Usage()
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := f.do(ctx, flag.Args(), os.Stdout, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "lab/fleet:", err)
		if errors.As(err, new(otherwise)) {
			os.Exit(1)
		}
		os.Exit(2)
	}
}

// otherwise is an answer that was not as recorded.
type otherwise struct{ error }

func (f flags) do(ctx context.Context, names []string, out, progress io.Writer) (err error) {
	dir, err := os.MkdirTemp("", "fleet")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	if f.record != "" {
		return record(ctx, f.record, dir, f.cache, progress)
	}
	if len(names) == 0 {
		if names, err = filepath.Glob("lab/fleet/testdata/*.txt.gz"); err != nil {
			return err
		}
	}
	recordings, err := readRecordings(names)
	if err != nil {
		return err
	}
	if f.bootseal == "" {
		f.bootseal = filepath.Join(dir, "bootseal")
		if text, err := exec.CommandContext(ctx, "go", "build", "-o", f.bootseal, "github.com/bootseal/bootseal/cmd/bootseal").CombinedOutput(); err != nil {
			return fmt.Errorf("build bootseal: %w: %s", err, text)
		}
	}
	turns, err := f.turns(ctx, dir, share(recordings, f.guests), progress)
	if err != nil {
		return err
	}
	if f.format == "json" {
		e := json.NewEncoder(out)
		e.SetIndent("", "  ")
		return e.Encode(turns)
	}
	return table(out, turns)
}

// share gives each guest one of the recordings.
func share(recordings []*recording, guests int) []*recording {
	out := make([]*recording, guests)
	for i := range out {
		out[i] = recordings[i%len(recordings)]
	}
	return out
}

// turns has the servers take turns. Without swtpm bootseal is alone.
func (f flags) turns(ctx context.Context, dir string, guests []*recording, progress io.Writer) ([]turn, error) {
	swtpm, err := exec.LookPath("swtpm")
	if err != nil {
		fmt.Fprintln(progress, "swtpm is not installed: bootseal is measured alone")
	}
	var out []turn
	for round := range f.rounds {
		for i, serve := range []func(context.Context, string, string, []*recording) (*servers, error){serveBootseal, serveSwtpm} {
			program := []string{f.bootseal, swtpm}[i]
			if program == "" {
				continue
			}
			if ctx.Err() != nil {
				return nil, errors.New("interrupted")
			}
			own := filepath.Join(dir, fmt.Sprintf("%d-%d", round, i))
			if err := os.Mkdir(own, 0o700); err != nil {
				return nil, err
			}
			s, err := serve(ctx, program, own, guests)
			if err != nil {
				return nil, err
			}
			t, err := load(s, guests)
			s.stop()
			if err != nil {
				return nil, otherwise{err}
			}
			fmt.Fprintf(progress, "round %d of %d: %s: %.1f s\n", round+1, f.rounds, t.Server, t.Took.Seconds())
			out = append(out, t)
		}
	}
	return out, nil
}

func table(out io.Writer, turns []turn) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "server\tcommands\tcommands/s\tCPU ms a thousand\tp50 µs\tp99 ms\tslowest ms\tmemory MB\t")
	for _, t := range turns {
		fmt.Fprintf(w, "%s\t%d\t%.0f\t%.0f\t%.0f\t%.1f\t%.0f\t%.1f\t\n", t.Server, t.Commands, float64(t.Commands)/t.Took.Seconds(),
			float64(t.CPU.Milliseconds())*1000/float64(t.Commands), us(t.P50), us(t.P99)/1e3, us(t.Slowest)/1e3, float64(t.Memory)/1e6)
	}
	return w.Flush()
}

func us(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1e3 }
