package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"

	"github.com/bootseal/bootseal/bootchain"
	"github.com/bootseal/bootseal/eventlog"
	"github.com/bootseal/bootseal/internal/disk"
	"github.com/bootseal/bootseal/lab"
	"github.com/bootseal/bootseal/lab/matrix"
	"github.com/bootseal/bootseal/pcr"
	"github.com/bootseal/bootseal/predict"
)

// runner boots scenarios.
type runner struct {
	work, keep string
	booted     bool // the prediction gets the files of the last boot, too
	versions   []matrix.Version
	limits     func(context.Context) (context.Context, context.CancelFunc)
	progress   func(string)
}

// run runs a scenario. The error is of what could not be booted.
func (r *runner) run(ctx context.Context, s scenario) (*matrix.Chain, error) {
	dir := filepath.Join(r.work, s.Name)
	m, err := lab.NewMachine(dir, s.Variables)
	if err != nil {
		return nil, err
	}
	image, err := lab.CreateImage(ctx, filepath.Join(dir, "disk.img"), s.Files)
	if err != nil {
		return nil, err
	}
	out := &matrix.Chain{Name: s.Name, Chain: s.Chain, Versions: r.versions}
	before, err := r.boot(ctx, m, image, s, 0)
	if err != nil {
		return out, err
	}
	var last bootchain.Manifest
	if r.booted {
		if last, _, err = measure(image); err != nil {
			return out, err
		}
	}
	for i, step := range s.Steps {
		if err := step.apply(ctx, m, image); err != nil {
			return out, fmt.Errorf("%s: %s: %w", s.Name, step.Change, err)
		}
		machine, err := machineOf(before, image)
		if err != nil {
			return out, fmt.Errorf("%s: %s: %w", s.Name, step.Change, err)
		}
		if r.booted {
			machine.Booted = &last
			last = machine.Files
		}
		if step.Enroll != nil {
			machine.Changes.MOK = [][]byte{step.Enroll}
		}
		predicted, err := predict.Next(predict.Input{Machine: machine})
		if err != nil {
			return out, fmt.Errorf("%s: predict %s: %w", s.Name, step.Change, err)
		}
		after, err := r.boot(ctx, m, image, s, i+1)
		if err != nil {
			return out, fmt.Errorf("%w; it was predicted to take the way %s", err, predicted.Paths[0].Name)
		}
		b := boot{scenario: s.Name, number: i + 1, machine: machine, baseline: before, predicted: predicted, report: after, console: consoleOf(dir, i+1)}
		res, err := b.compare(r.keep)
		res.Change = step.Change
		out.Rows = append(out.Rows, res)
		if res.Wrong() {
			r.progress(fmt.Sprintf("%s, boot %d: NO: %s", s.Name, i+2, res.What))
		}
		if err != nil {
			return out, fmt.Errorf("%s: %s: %w", s.Name, step.Change, err)
		}
		before = after
	}
	return out, nil
}

func consoleOf(dir string, number int) string {
	return filepath.Join(dir, "console-"+strconv.Itoa(number)+".txt")
}

// boot boots once; the guest makes the next step's changes at its end.
func (r *runner) boot(ctx context.Context, m *lab.Machine, image lab.Image, s scenario, number int) (*lab.Report, error) {
	what, script := "the first boot", ""
	if number > 0 {
		what = s.Steps[number-1].Change
	}
	if number < len(s.Steps) {
		script = s.Steps[number].Guest
	}
	ctx, cancel := r.limits(ctx)
	defer cancel()
	console := consoleOf(m.Dir, number)
	report, err := m.Boot(ctx, image, script, console)
	if err != nil {
		return nil, fmt.Errorf("%s, boot %d, %s: %w; its console is %s", s.Name, number+1, what, err, console)
	}
	r.progress(fmt.Sprintf("%s, boot %d of %d, %.0f s: %s", s.Name, number+1, len(s.Steps)+1, report.Took.Seconds(), what))
	return report, nil
}

// machineOf is what is known of a machine before it boots from the disk: what the last boot
// reported.
func machineOf(last *lab.Report, image lab.Image) (bootchain.Machine, error) {
	log, err := eventlog.Parse(last.Log, eventlog.Limits{})
	if err != nil {
		return bootchain.Machine{}, err
	}
	manifest, d, err := measure(image)
	if err != nil {
		return bootchain.Machine{}, err
	}
	return bootchain.Machine{Log: log, Files: manifest, Vars: last.Vars, GPT: d.Table, PCRs: last.PCRs}, nil
}

func measure(image lab.Image) (bootchain.Manifest, *disk.Disk, error) {
	f, err := os.Open(image.Path)
	if err != nil {
		return bootchain.Manifest{}, nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return bootchain.Manifest{}, nil, err
	}
	d, err := disk.Open(f, info.Size())
	if err != nil {
		return bootchain.Manifest{}, nil, err
	}
	m, err := bootchain.MeasureDisk(d, pcr.Banks(), nil)
	return m, d, err
}

// boot is a boot with its prediction.
type boot struct {
	scenario  string
	number    int // from 0
	machine   bootchain.Machine
	baseline  *lab.Report
	predicted *predict.Prediction
	report    *lab.Report
	console   string
}

// compare holds the likeliest way against the boot, and keeps what is wrong.
func (b *boot) compare(keep string) (matrix.Row, error) {
	out := matrix.Compare(&b.predicted.Paths[0], b.report.PCRs, b.report.Log)
	out.Seconds = b.report.Took.Seconds()
	if !out.Wrong() {
		return out, nil
	}
	out.Kept = filepath.Join(keep, fmt.Sprintf("%s-%d", b.scenario, b.number+1))
	more, err := b.around()
	f := matrix.Failure{What: out.What, Prediction: b.predicted, PCRs: b.report.PCRs, Log: b.report.Log, More: more}
	return out, errors.Join(err, f.Keep(out.Kept))
}

// around are files with what the prediction was made from, and the console.
func (b *boot) around() (map[string][]byte, error) {
	var vars, manifest bytes.Buffer
	console, err := os.ReadFile(b.console)
	err = errors.Join(err, b.baseline.Vars.Dump(&vars), encode(&manifest, b.machine.Files))
	return map[string][]byte{
		"baseline-eventlog.bin": b.baseline.Log,
		"baseline-pcrs.txt":     []byte(b.baseline.PCRs.String()),
		"baseline-efivars.json": vars.Bytes(),
		"manifest.json":         manifest.Bytes(),
		"console.txt":           console,
	}, err
}
