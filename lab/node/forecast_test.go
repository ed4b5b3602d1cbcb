package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/bootseal/bootseal/bootchain"
	"github.com/bootseal/bootseal/internal/boots"
	"github.com/bootseal/bootseal/lab/matrix"
	"github.com/bootseal/bootseal/pcr"
	"github.com/bootseal/bootseal/predict"
)

// A boot that was not as the node had said fails its story, and both logs are kept.
func TestForecast(t *testing.T) {
	before, err := boots.Load(boots.First)
	if err != nil {
		t.Fatal(err)
	}
	said, err := predict.Next(predict.Input{Machine: bootchain.Machine{Log: before.Log, Files: before.Manifest, PCRs: before.PCRs}})
	if err != nil {
		t.Fatal(err)
	}
	data, err := json.Marshal(said)
	if err != nil {
		t.Fatal(err)
	}
	f := &forecast{change: "a new kernel"}
	if f.prediction, err = predict.Read(strings.NewReader(string(data))); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name boots.Name
		kept bool
	}{{boots.Second, false}, {boots.Upgraded, true}} {
		boot, err := boots.Load(tt.name)
		if err != nil {
			t.Fatal(err)
		}
		folder := filepath.Join(t.TempDir(), "kept")
		row, err := f.hold(boot.PCRs, boot.LogBytes, folder)
		if (err != nil) != tt.kept || row.Wrong() != tt.kept || row.Change != f.change {
			t.Errorf("%s: %+v, %v", tt.name, row, err)
		}
		if !tt.kept {
			continue
		}
		if !strings.Contains(err.Error(), "the boot was not as predicted: PCR 4, event ") || row.Kept != folder {
			t.Errorf("%s: %v, kept in %q", tt.name, err, row.Kept)
		}
		for _, name := range []string{"what.txt", "prediction.json", "predicted-eventlog.bin", "eventlog.bin", "pcrs.txt"} {
			if info, err := os.Stat(filepath.Join(folder, name)); err != nil || info.Size() == 0 {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
}

// The boots of a story that others begin with are found, too, though nobody chose it.
func TestResults(t *testing.T) {
	l := &laboratory{told: onces[result]{of: map[string]func() result{
		"reboot": func() result { return result{Name: "reboot"} },
		"enroll": func() result { return result{Name: "enroll", rows: []matrix.Row{{Change: "enrolled"}}} },
	}}}
	got := l.told.all()
	if len(got) != 2 || got[0].Name != "enroll" || got[0].rows[0].Change != "enrolled" || got[1].Name != "reboot" {
		t.Errorf("%+v", got)
	}
}

// What systemd measures of its phases while the node comes up is no part of a prediction, but for
// the first, before the disk is opened. Anything else that moves PCR 11 stays a difference.
func TestWhenOpened(t *testing.T) {
	boot, err := boots.Load(boots.First)
	if err != nil {
		t.Fatal(err)
	}
	after := func(words ...string) pcr.Values {
		values := boot.PCRs.Clone()
		for _, b := range values.Banks() {
			at := pcr.Reset(b, 11, 0)
			for _, w := range words {
				if at, err = pcr.Extend(b, at, b.Sum([]byte(w))); err != nil {
					t.Fatal(err)
				}
			}
			values.Set(b, 11, at)
		}
		return values
	}
	for _, tt := range []struct{ now, opened []string }{
		{nil, nil},
		{[]string{"sysinit", "ready"}, nil},
		{[]string{"enter-initrd", "leave-initrd", "sysinit"}, []string{"enter-initrd"}},
		{[]string{"something else"}, []string{"something else"}},
	} {
		got, want := whenOpened(after(tt.now...), boot.LogBytes), after(tt.opened...)
		if got.String() != want.String() {
			t.Errorf("after %q:\n%s", tt.now, got)
		}
	}
}
