package matrix

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/bootseal/bootseal/bootchain"
	"github.com/bootseal/bootseal/eventlog"
	"github.com/bootseal/bootseal/internal/boots"
	"github.com/bootseal/bootseal/pcr"
	"github.com/bootseal/bootseal/predict"
)

// upgraded is the boot of a new kernel, which nobody predicted: the prediction is of the old one.
func upgraded(t *testing.T) (*predict.Prediction, *boots.Boot) {
	t.Helper()
	before, err := boots.Load(boots.Second)
	if err != nil {
		t.Fatal(err)
	}
	after, err := boots.Load(boots.Upgraded)
	if err != nil {
		t.Fatal(err)
	}
	p, err := predict.Next(predict.Input{Machine: bootchain.Machine{Log: before.Log, Files: before.Manifest, PCRs: before.PCRs}})
	if err != nil {
		t.Fatal(err)
	}
	return p, after
}

func TestKeep(t *testing.T) {
	p, boot := upgraded(t)
	row := Compare(&p.Paths[0], boot.PCRs, boot.LogBytes)
	if !row.Wrong() || row.Cell(9) != Wrong || row.Cell(7) != Right || !strings.HasPrefix(row.What, "PCR 4, event 54 (Linux kernel") {
		t.Fatalf("a new kernel's boot and the old one's prediction: %+v", row)
	}
	dir := filepath.Join(t.TempDir(), "kept", "x-2")
	f := Failure{What: row.What, Prediction: p, PCRs: boot.PCRs, Log: boot.LogBytes, More: map[string][]byte{"console.txt": []byte("hello")}}
	if err := f.Keep(dir); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"what.txt": row.What + "\n", "eventlog.bin": string(boot.LogBytes), "console.txt": "hello"} {
		if got, err := os.ReadFile(filepath.Join(dir, name)); err != nil || string(got) != want {
			t.Errorf("%s: %q, %v", name, got[:min(len(got), 100)], err)
		}
	}
	// What is kept is enough to compare again.
	read := func(name string) *os.File {
		file, err := os.Open(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { file.Close() })
		return file
	}
	again, err := predict.Read(read("prediction.json"))
	if err != nil {
		t.Fatal(err)
	}
	values, err := pcr.ParseValues(read("pcrs.txt"))
	if err != nil {
		t.Fatal(err)
	}
	if got := Compare(&again.Paths[0], values, boot.LogBytes); got.What != row.What {
		t.Errorf("compared again: %q, want %q", got.What, row.What)
	}
	predicted, err := eventlog.Read(read("predicted-eventlog.bin"), eventlog.Limits{})
	if err != nil || len(predicted.Events) < len(p.Paths[0].Events) {
		t.Errorf("the predicted log: %v", err)
	}
}

// What cannot be written does not keep the rest from being kept.
func TestKeepWhatCanBe(t *testing.T) {
	p, boot := upgraded(t)
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "what.txt"), 0o755); err != nil {
		t.Fatal(err)
	}
	err := (&Failure{What: "PCR 9: other", Prediction: p, PCRs: boot.PCRs, Log: boot.LogBytes}).Keep(dir)
	if err == nil || !strings.Contains(err.Error(), "keep what.txt") {
		t.Error(err)
	}
	for _, name := range []string{"prediction.json", "predicted-eventlog.bin", "predicted-pcrs.txt", "eventlog.bin", "pcrs.txt"} {
		if info, err := os.Stat(filepath.Join(dir, name)); err != nil || info.Size() == 0 {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A prediction that another process made, as a node's is, explains a difference as well.
func TestCompareReadPrediction(t *testing.T) {
	p, boot := upgraded(t)
	data, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	read, err := predict.Read(strings.NewReader(string(data)))
	if err != nil {
		t.Fatal(err)
	}
	want := Compare(&p.Paths[0], boot.PCRs, boot.LogBytes)
	if got := Compare(&read.Paths[0], boot.PCRs, boot.LogBytes); got.What != want.What {
		t.Errorf("%q, want %q", got.What, want.What)
	}
}
