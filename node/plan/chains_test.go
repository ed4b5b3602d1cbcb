package plan_test

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/bootseal/bootseal/bootchain"
	"github.com/bootseal/bootseal/eventlog"
	"github.com/bootseal/bootseal/internal/efivars"
	"github.com/bootseal/bootseal/pcr"
	"github.com/bootseal/bootseal/predict"
)

// The recorded machines, each with kernel 54 running and kernel 56 about to boot.
const (
	shimGRUB = "a-shim-grub-sb"
	uki      = "c-uki-nosb"
	sdboot   = "d-sdboot-type1-sb"
	efistub  = "e-efistub-nosb"
)

// machine describes a recorded machine that runs kernel 54 and will boot the files of
// the manifest.
func machine(t *testing.T, chain, manifest string) bootchain.Machine {
	t.Helper()
	var m bootchain.Machine
	read := func(path string, parse func(io.Reader) error) {
		data, err := os.ReadFile(path)
		if err == nil {
			err = parse(bytes.NewReader(data))
		}
		if err != nil {
			t.Fatalf("%s: %v", path, err)
		}
	}
	chains, step := filepath.Join("../../bootchain/testdata/chains", chain), filepath.Join("../../eventlog/testdata/boots", chain, "2-k54-second")
	read(filepath.Join(chains, "efivars.json"), func(r io.Reader) (err error) { m.Vars, err = efivars.Parse(r); return err })
	read(filepath.Join(chains, manifest), func(r io.Reader) (err error) { m.Files, err = bootchain.ReadManifest(r); return err })
	read(filepath.Join(step, "pcrs.txt"), func(r io.Reader) (err error) { m.PCRs, err = pcr.ParseValues(r); return err })
	read(filepath.Join(step, "eventlog.bin"), func(r io.Reader) error {
		data, err := io.ReadAll(r)
		if err == nil {
			m.Log, err = eventlog.Parse(data, eventlog.Limits{})
		}
		return err
	})
	return m
}

func prediction(t *testing.T, m bootchain.Machine) *predict.Prediction {
	t.Helper()
	p, err := predict.Next(predict.Input{Machine: m})
	if err != nil {
		t.Fatal(err)
	}
	return p
}
