package predict_test

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/bootseal/bootseal/bootchain"
	"github.com/bootseal/bootseal/eventlog"
	"github.com/bootseal/bootseal/internal/efivars"
	"github.com/bootseal/bootseal/internal/gpt"
	"github.com/bootseal/bootseal/pcr"
	"github.com/bootseal/bootseal/predict"
)

// chain is a recorded machine: each was booted twice with kernel 54, and then
// upgraded to kernel 56.
type chain struct {
	name string
	vars efivars.Set
	gpt  *gpt.Table
	// files before and after the upgrade.
	before, after bootchain.Manifest
}

func chains() []string {
	return []string{"a-shim-grub-sb", "b-shim-grub-nosb", "c-uki-nosb", "d-sdboot-type1-sb", "e-efistub-nosb"}
}

func loadChain(t testing.TB, name string) *chain {
	t.Helper()
	c := &chain{name: name}
	dir := filepath.Join("..", "bootchain", "testdata", "chains", name)
	read := func(file string, parse func(io.Reader) error) {
		data, err := os.ReadFile(filepath.Join(dir, file))
		if err == nil {
			err = parse(bytes.NewReader(data))
		}
		if err != nil {
			t.Fatalf("%s: %v", file, err)
		}
	}
	read("efivars.json", func(r io.Reader) (err error) { c.vars, err = efivars.Parse(r); return err })
	read("manifest-54.json", func(r io.Reader) (err error) { c.before, err = bootchain.ReadManifest(r); return err })
	read("manifest-56.json", func(r io.Reader) (err error) { c.after, err = bootchain.ReadManifest(r); return err })
	read("gpt.bin", func(r io.Reader) error {
		data, err := io.ReadAll(r)
		if err != nil {
			return err
		}
		c.gpt, err = gpt.Read(bytes.NewReader(append(data, make([]byte, 34*512-len(data))...)))
		return err
	})
	return c
}

// step is a recorded boot.
type step struct {
	log  *eventlog.Log // nil where the kernel offered none
	pcrs pcr.Values
}

func (c *chain) step(t testing.TB, name string) step {
	t.Helper()
	dir := filepath.Join("..", "eventlog", "testdata", "boots", c.name, name)
	var s step
	f, err := os.Open(filepath.Join(dir, "pcrs.txt"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if s.pcrs, err = pcr.ParseValues(f); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(filepath.Join(dir, "eventlog.bin"))
	if err != nil {
		t.Fatal(err)
	}
	if s.log, err = eventlog.Parse(data, eventlog.Limits{}); err != nil {
		t.Fatal(err)
	}
	return s
}

const (
	second   = "2-k54-second"
	upgraded = "3-k56-upgraded"
)

// machine describes the machine after a step, about to boot the files.
func (c *chain) machine(s step, files bootchain.Manifest) predict.Input {
	return predict.Input{Machine: bootchain.Machine{Log: s.log, Files: files, Vars: c.vars, GPT: c.gpt, PCRs: s.pcrs}}
}

func predictFirst(t testing.TB, in predict.Input) *predict.Path {
	t.Helper()
	p, err := predict.Next(in)
	if err != nil {
		t.Fatal(err)
	}
	return &p.Paths[0]
}

// always are the PCRs that keys are sealed to.
var always = pcr.Select(4, 7, 8, 9, 11, 12, 14)

// Every boot of every chain follows from the log of the one before, the files and
// the variables: all PCRs, in all four banks, and every event.
func TestRecordedBoots(t *testing.T) {
	for _, name := range chains() {
		c := loadChain(t, name)
		for _, boot := range []struct {
			from, to string
			files    *bootchain.Manifest
			why      string
		}{
			{second, second, &c.before, "nothing changes"},
			{second, upgraded, &c.after, "the upgrade"},
			{upgraded, upgraded, &c.after, "the boot after the upgrade"},
			{upgraded, second, &c.before, "back to the kernel before"},
		} {
			from, to := c.step(t, boot.from), c.step(t, boot.to)
			in := c.machine(from, *boot.files)
			t.Run(name+"/"+boot.why, func(t *testing.T) { cameTrue(t, in, to) })
			in.Booted = &c.before
			if boot.from == upgraded {
				in.Booted = &c.after
			}
			t.Run(name+"/"+boot.why+", checked with the files of the last boot", func(t *testing.T) { cameTrue(t, in, to) })
			in.Vars, in.GPT = nil, nil
			t.Run(name+"/"+boot.why+", from the log and the files alone", func(t *testing.T) { cameTrue(t, in, to) })
		}
	}
}

func cameTrue(t *testing.T, in predict.Input, to step) {
	t.Helper()
	p := predictFirst(t, in)
	if m, err := p.Misses(to.pcrs); err != nil || len(m) > 0 {
		t.Errorf("%v are otherwise, %v", m, err)
	}
	if d, err := p.Differences(to.log); err != nil || len(d) > 0 {
		t.Errorf("%v, %v", d, err)
	}
	for _, bank := range pcr.Banks() {
		want := pcr.Select(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 12, 13, 14, 15)
		if got := p.Known(bank); got != want {
			t.Errorf("%s has PCRs %v, want %v: %v", bank, got, want, p.Doubts)
		}
	}
}

// Without a log, what files, variables and the TPM tell is predicted: chain b's
// kernel offered none at its first boot. The models are proven by the TPM's own
// values.
func TestWithoutLog(t *testing.T) {
	for _, name := range chains() {
		c := loadChain(t, name)
		now, next := c.step(t, second), c.step(t, upgraded)
		in := c.machine(now, c.before)
		in.Log = nil
		t.Run(name+"/nothing changes", func(t *testing.T) { withoutLog(t, in, now.pcrs, 0) })
		in.Files, in.Booted = c.after, &c.before
		t.Run(name+"/the upgrade, with the files of the running boot", func(t *testing.T) { withoutLog(t, in, next.pcrs, 0) })
		in.Booted = nil
		t.Run(name+"/the upgrade", func(t *testing.T) {
			withoutLog(t, in, next.pcrs, pcr.Select(4, 8, 9))
		})
		in.PCRs = nil
		t.Run(name+"/the upgrade, without values", func(t *testing.T) {
			withoutLog(t, in, next.pcrs, pcr.Select(0, 1, 2, 3, 4, 5, 6, 7))
		})
	}
}

// withoutLog checks a prediction of which some PCRs may be unknown.
func withoutLog(t *testing.T, in predict.Input, want pcr.Values, mayBeUnknown pcr.Selection) {
	t.Helper()
	p := predictFirst(t, in)
	if m, err := p.Misses(want); err != nil || len(m) > 0 {
		t.Errorf("%v are otherwise, %v", m, err)
	}
	for _, bank := range pcr.Banks() {
		all := pcr.Select(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 12, 13, 14, 15)
		if lacks := all.Without(p.Known(bank)).Without(mayBeUnknown); lacks.Len() > 0 {
			t.Errorf("%s lacks PCRs %v: %v", bank, lacks, p.Doubts)
		}
	}
}

// Where systemd runs in the initial ramdisk, PCR 11 has that it was entered: the
// TPM's value tells, also when the boot has gone on since.
func TestPhase(t *testing.T) {
	c := loadChain(t, "c-uki-nosb")
	now, next := c.step(t, second), c.step(t, upgraded)
	extend := func(values pcr.Values, words ...string) pcr.Values {
		out := values.Clone()
		for _, b := range pcr.Banks() {
			for _, word := range words {
				before, _ := out.Get(b, 11)
				after, err := pcr.Extend(b, before, b.Sum([]byte(word)))
				if err != nil {
					t.Fatal(err)
				}
				out.Set(b, 11, after)
			}
		}
		return out
	}
	for _, test := range []struct {
		name     string
		measured []string // in the running boot so far
		want     []string // at the next unseal
	}{
		{"no systemd in the initial ramdisk", nil, nil},
		{"still in the initial ramdisk", []string{"enter-initrd"}, []string{"enter-initrd"}},
		{"up and running", []string{"enter-initrd", "leave-initrd", "sysinit", "ready"}, []string{"enter-initrd"}},
		{"systemd in the system alone", []string{"sysinit", "ready"}, nil},
	} {
		for _, withLog := range []bool{true, false} {
			in := c.machine(now, c.after)
			in.Booted = &c.before
			if !withLog {
				in.Log = nil
			}
			in.PCRs = extend(now.pcrs, test.measured...)
			p := predictFirst(t, in)
			if m, err := p.Misses(extend(next.pcrs, test.want...)); err != nil || len(m) > 0 || !p.Known(pcr.SHA256).Has(11) {
				t.Errorf("%s, log %t: %v, %v, doubts %v", test.name, withLog, m, err, p.Doubts)
			}
		}
	}
}
