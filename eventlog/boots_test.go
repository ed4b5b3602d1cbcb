package eventlog_test

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/bootseal/bootseal/eventlog"
	"github.com/bootseal/bootseal/pcr"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// boot is a recorded boot: "a-shim-grub-sb/2-k54-second".
type boot struct {
	name   string
	data   []byte
	log    *eventlog.Log
	values pcr.Values
}

func loadBoot(t testing.TB, name string) boot {
	t.Helper()
	dir := filepath.Join("testdata", "boots", name)
	data, err := os.ReadFile(filepath.Join(dir, "eventlog.bin"))
	if err != nil {
		t.Fatal(err)
	}
	l, err := eventlog.Parse(data, eventlog.Limits{})
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	f, err := os.Open(filepath.Join(dir, "pcrs.txt"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	values, err := pcr.ParseValues(f)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return boot{name, data, l, values}
}

func allBoots(t testing.TB) []boot {
	t.Helper()
	dirs, err := filepath.Glob("testdata/boots/*/*/eventlog.bin")
	if err != nil || len(dirs) != 14 {
		t.Fatalf("%d recorded logs, want 14 (%v)", len(dirs), err)
	}
	var out []boot
	for _, d := range dirs {
		name, _ := filepath.Rel("testdata/boots", filepath.Dir(d))
		out = append(out, loadBoot(t, filepath.ToSlash(name)))
	}
	return out
}

func TestRecordedBootsReplay(t *testing.T) {
	for _, b := range allBoots(t) {
		replayed, err := b.log.Replay()
		if err != nil {
			t.Fatal(err)
		}
		for _, bank := range pcr.Banks() {
			for i := range pcr.Count {
				want, _ := b.values.Get(bank, i)
				if have, _ := replayed.Get(bank, i); i != 10 && !have.Equal(want) { // 10 is IMA's
					t.Errorf("%s: %s PCR %d: have %s, want %s", b.name, bank, i, have, want)
				}
			}
		}
	}
}

func TestRecordedBootsVerify(t *testing.T) {
	for _, b := range allBoots(t) {
		verdicts, err := eventlog.Verify(b.log, b.values)
		if err != nil {
			t.Fatal(err)
		}
		if !eventlog.Verified(verdicts) {
			t.Errorf("%s: not verified", b.name)
		}
		count := map[eventlog.Agreement]int{}
		for _, v := range verdicts {
			count[v.Result]++
		}
		// Four banks: PCRs 0-9 and 11-15 agree, 10 and 16-23 are others' business.
		if count[eventlog.Agrees] != 4*15 || count[eventlog.NotCovered] != 4*9 {
			t.Errorf("%s: %v", b.name, count)
		}
	}
}

func TestRecordedBootsEncodeToTheSameBytes(t *testing.T) {
	for _, b := range allBoots(t) {
		got, err := b.log.Bytes()
		if err != nil || !bytes.Equal(got, b.data) {
			t.Errorf("%s: encodes to %d bytes, %v; want the %d that were parsed", b.name, len(got), err, len(b.data))
		}
	}
}

// No digest of a real boot contradicts its event, and everything that the log
// can explain is explained: only files, programs, firmware code and shim's key
// lists are not in it.
func TestRecordedBootsAreExplained(t *testing.T) {
	for _, b := range allBoots(t) {
		for _, x := range eventlog.Explain(b.log) {
			switch x.Check.Status {
			case eventlog.Mismatch:
				t.Errorf("%s: event %d (%s): mismatch in %v", b.name, x.Index, x.Text, x.Check.Banks)
			case eventlog.NotExplainable:
				switch body := x.Body.(type) {
				case eventlog.Image, eventlog.Blob, eventlog.Tag:
				case eventlog.BootString:
					if s := body.Source; s != eventlog.BootFile && s != eventlog.UKISection && s != eventlog.MokVariable {
						t.Errorf("%s: event %d (%s): not explained", b.name, x.Index, x.Text)
					}
				default:
					t.Errorf("%s: event %d (%s): not explained", b.name, x.Index, x.Text)
				}
			}
			if x.Stage == eventlog.Unknown || x.Loads == eventlog.Unknown {
				t.Errorf("%s: event %d (%s): stage %s, loads %q", b.name, x.Index, x.Text, x.Stage, x.Loads)
			}
		}
	}
}

// The golden files are what a person reads: look at the difference before -update.
func golden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got == string(want) {
		return
	}
	have, expect := strings.Split(got, "\n"), strings.Split(string(want), "\n")
	for i := range min(len(have), len(expect)) {
		if have[i] != expect[i] {
			t.Fatalf("%s, line %d:\nhave %s\nwant %s", file, i+1, have[i], expect[i])
		}
	}
	t.Fatalf("%s: have %d lines, want %d", file, len(have), len(expect))
}

var secondBoots = []string{
	"a-shim-grub-sb/2-k54-second", "b-shim-grub-nosb/2-k54-second", "c-uki-nosb/2-k54-second",
	"d-sdboot-type1-sb/2-k54-second", "e-efistub-nosb/2-k54-second",
}

// The whole story of each chain, in words.
func TestExplainGolden(t *testing.T) {
	for _, name := range secondBoots {
		var sb strings.Builder
		for _, x := range eventlog.Explain(loadBoot(t, name).log) {
			fmt.Fprintf(&sb, "%d %s PCR %d %s loads=%s %s: %s\n", x.Index, x.Type, x.PCR, x.Stage, x.Loads,
				x.Check.Status, x.Text)
		}
		chain, _, _ := strings.Cut(name, "/")
		golden(t, "explain-"+chain+".txt", sb.String())
	}
}

// What a kernel upgrade changes in each chain.
func TestCompareGolden(t *testing.T) {
	for _, name := range secondBoots {
		chain, _, _ := strings.Cut(name, "/")
		diffs, err := eventlog.Compare(loadBoot(t, name).log, loadBoot(t, chain+"/3-k56-upgraded").log)
		if err != nil {
			t.Fatal(err)
		}
		var sb strings.Builder
		for _, d := range diffs {
			fmt.Fprintln(&sb, d)
		}
		golden(t, "upgrade-"+chain+".txt", sb.String())
	}
}
