package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/bootseal/bootseal/bootchain"
	"github.com/bootseal/bootseal/internal/boots"
	"github.com/bootseal/bootseal/internal/efivars"
	"github.com/bootseal/bootseal/lab"
	"github.com/bootseal/bootseal/predict"
)

// report is a recorded boot as the lab's guest reports one.
func report(t *testing.T, name boots.Name) (*boots.Boot, *lab.Report) {
	t.Helper()
	b, err := boots.Load(name)
	if err != nil {
		t.Fatal(err)
	}
	return b, &lab.Report{PCRs: b.PCRs, Log: b.LogBytes, Vars: efivars.Set{}}
}

// A boot that was not as predicted leaves all about it in a folder, and its row says where.
func TestCompareKeeps(t *testing.T) {
	first, baseline := report(t, boots.First)
	machine := bootchain.Machine{Log: first.Log, Files: first.Manifest, PCRs: first.PCRs}
	p, err := predict.Next(predict.Input{Machine: machine})
	if err != nil {
		t.Fatal(err)
	}
	console := filepath.Join(t.TempDir(), "console-1.txt")
	if err := os.WriteFile(console, []byte("BdsDxe: starting\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	keep := filepath.Join(t.TempDir(), "lab-predict")
	_, second := report(t, boots.Second)
	_, upgraded := report(t, boots.Upgraded)
	b := boot{scenario: "grub-files", number: 1, machine: machine, baseline: baseline, predicted: p, report: second, console: console}
	if row, err := b.compare(keep); err != nil || row.Wrong() || row.Kept != "" {
		t.Errorf("as predicted: %+v, %v", row, err)
	}
	b.report = upgraded
	row, err := b.compare(keep)
	if err != nil || !row.Wrong() || row.What == "" || row.Kept != filepath.Join(keep, "grub-files-2") {
		t.Fatalf("another kernel: %+v, %v", row, err)
	}
	for _, name := range []string{"what.txt", "prediction.json", "predicted-eventlog.bin", "predicted-pcrs.txt", "eventlog.bin", "pcrs.txt",
		"baseline-eventlog.bin", "baseline-pcrs.txt", "baseline-efivars.json", "manifest.json", "console.txt"} {
		if info, err := os.Stat(filepath.Join(row.Kept, name)); err != nil || info.Size() == 0 {
			t.Errorf("%s: %v", name, err)
		}
	}
	// A console that is gone costs nothing but the console.
	b.console = filepath.Join(keep, "gone.txt")
	b.number++
	if row, err = b.compare(keep); err == nil || !row.Wrong() {
		t.Errorf("without a console: %+v, %v", row, err)
	}
	if _, err := os.Stat(filepath.Join(row.Kept, "predicted-eventlog.bin")); err != nil {
		t.Error(err)
	}
}
