package demo_test

import (
	"strings"
	"testing"

	"github.com/bootseal/bootseal/internal/demo"
	"github.com/bootseal/bootseal/pcr"
)

// tell runs the story on recordings that spoil changed, and returns its lines.
func tell(t *testing.T, spoil func(*demo.Recordings)) ([]demo.Line, error) {
	t.Helper()
	recorded, err := demo.Builtin()
	if err != nil {
		t.Fatal(err)
	}
	spoil(recorded)
	var lines []demo.Line
	err = demo.Run(t.Context(), recorded, func(l demo.Line) error {
		lines = append(lines, l)
		return nil
	})
	return lines, err
}

// The story comes out as told on the built-in recordings, and every check in it
// was made.
func TestStory(t *testing.T) {
	lines, err := tell(t, func(*demo.Recordings) {})
	if err != nil {
		t.Fatal(err)
	}
	checks := make(map[int]int)
	for _, l := range lines {
		if l.Kind == demo.Check {
			checks[l.Step]++
			if !*l.OK {
				t.Errorf("step %d: %s", l.Step, l.Text)
			}
		}
	}
	for step := 1; step <= 7; step++ {
		if checks[step] == 0 {
			t.Errorf("step %d checks nothing", step)
		}
	}
}

// Nothing in the story is hard-wired: recordings that do not fit together break
// it, in the step that finds out.
func TestStoryBreaks(t *testing.T) {
	const kernel56 = "/boot/vmlinuz-6.1.0-56-cloud-amd64"
	for _, test := range []struct {
		name  string
		spoil func(*demo.Recordings)
		step  string
	}{
		{"a measurement of the first boot is another one", func(r *demo.Recordings) {
			r.First.Log.Events[33].Digests[pcr.SHA384][0] ^= 1
		}, "step 1 "},
		{"an event of the first boot is missing", func(r *demo.Recordings) {
			r.First.Log.Events = r.First.Log.Events[:60]
		}, "step 1 "},
		{"the machine reported another PCR", func(r *demo.Recordings) {
			r.First.PCRs[pcr.SHA1][7][0] ^= 1
		}, "step 1 "},
		{"what GRUB ran is not what the log says", func(r *demo.Recordings) {
			r.First.Log.Events[45].Data[12] ^= 1
		}, "step 1 "},
		{"the second boot was of other software", func(r *demo.Recordings) {
			r.Second.Log.Events[33].Digests[pcr.SHA256][0] ^= 1
		}, "step 3 "},
		{"the upgrade changed nothing", func(r *demo.Recordings) {
			r.Upgraded = r.Second
		}, "step 5 "},
		{"the manifest has a wrong digest of the new kernel", func(r *demo.Recordings) {
			r.Upgraded.Manifest.Volumes[0].Files[kernel56].Digests[pcr.SHA256][0] ^= 1
		}, "step 6 "},
		{"the manifest lacks the new kernel", func(r *demo.Recordings) {
			delete(r.Upgraded.Manifest.Volumes[0].Files, kernel56)
		}, "step 6 "},
		{"the machine reported another PCR after the upgrade", func(r *demo.Recordings) {
			r.Upgraded.PCRs[pcr.SHA256][4][0] ^= 1
		}, "step 6 "},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := tell(t, test.spoil)
			if err == nil || !strings.HasPrefix(err.Error(), test.step) {
				t.Errorf("error %v, want one of %s", err, test.step)
			}
			t.Log(err)
		})
	}
}
