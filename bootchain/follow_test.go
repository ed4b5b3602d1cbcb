package bootchain_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/bootseal/bootseal/bootchain"
	"github.com/bootseal/bootseal/eventlog"
	"github.com/bootseal/bootseal/pcr"
)

// grubLog is the log of a GRUB that runs a script with the menu entry "A".
type grubLog struct{ *eventlog.Log }

func newGRUBLog() grubLog { return grubLog{eventlog.New(pcr.SHA256)} }

func (l grubLog) commands(list ...string) {
	for _, c := range list {
		l.Measure(8, eventlog.IPL, []byte("grub_cmd: "+c+"\x00"), []byte(c))
	}
}

func (l grubLog) file(name, contents string) {
	l.Measure(9, eventlog.IPL, []byte(name+"\x00"), []byte(contents))
}

func (l grubLog) cmdline(s string) {
	l.Measure(8, eventlog.IPL, []byte("kernel_cmdline: "+s+"\x00"), []byte(s))
}

func files(t *testing.T, list map[string]string) bootchain.Manifest {
	t.Helper()
	m := bootchain.Manifest{Files: make(map[string]bootchain.File)}
	for path, text := range list {
		f, err := bootchain.MeasureFile(path, strings.NewReader(text))
		if err != nil {
			t.Fatal(err)
		}
		m.Files[path] = f
	}
	return m
}

func follow(t *testing.T, l *eventlog.Log, old, new bootchain.Manifest) bootchain.Outcome {
	t.Helper()
	b, err := bootchain.Recognize(l)
	if err != nil {
		t.Fatal(err)
	}
	o, err := b.Follow(bootchain.Files{Old: old, New: new})
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// The log of a GRUB that looked at two disks before it searched for one, and
// whose commands do not show which one it found.
func twoDisks(script string) *eventlog.Log {
	l := newGRUBLog()
	l.commands("[ -e (hd1,gpt1)/x ]", "configfile (hd0,gpt1)/grub.cfg")
	l.file("(hd0,gpt1)/grub.cfg", script)
	l.commands("set timeout=0", "search --fs-uuid --set=root F00D", "menuentry A {\nlinux /k\n}", "setparams A", "linux /k")
	l.file("/k", "kernel")
	l.cmdline("/k")
	return l.Log
}

// Where the log fits two devices, the next boot is predicted only if it is the
// same with both.
func TestAmbiguousDevice(t *testing.T) {
	const script = "set timeout=0\nsearch --fs-uuid --set=root F00D\nmenuentry A {\nlinux /k\n}\n"
	l := twoDisks(script)
	old := files(t, map[string]string{"/grub.cfg": script, "/k": "kernel"})
	for _, test := range []struct {
		to   string
		want []int // PCRs in doubt for that reason
	}{
		{"/k2", nil},
		{"($root)/k2", []int{4, 8, 9}},
	} {
		changed := strings.Replace(script, "/k", test.to, 1)
		o := follow(t, l, old, files(t, map[string]string{"/grub.cfg": changed, "/k2": "another kernel"}))
		var got []int
		for _, d := range o.Doubts {
			if strings.Contains(d.Reason, "on which device") {
				got = append(got, d.PCR)
			} else if d.PCR != 7 { // the kernels of this test are not signed
				t.Errorf("%s: doubt %v", test.to, d)
			}
		}
		slices.Sort(got)
		if got = slices.Compact(got); !slices.Equal(got, test.want) {
			t.Errorf("%s: PCRs %v are in doubt, want %v", test.to, got, test.want)
		}
	}
}

// A kernel that is in no manifest is taken to stay, also if the script changes
// around it.
func TestUnlistedKernel(t *testing.T) {
	const script = "set timeout=0\nsearch --fs-uuid --set=root F00D\nmenuentry A {\nlinux /k\n}\n"
	l := twoDisks(script)
	changed := strings.Replace(script, "linux /k", "linux /k quiet", 1)
	o := follow(t, l, files(t, map[string]string{"/grub.cfg": script}), files(t, map[string]string{"/grub.cfg": changed}))
	if len(o.Doubts) > 0 {
		t.Fatalf("doubts %v", o.Doubts)
	}
	i := slices.IndexFunc(o.Events, func(e bootchain.Event) bool { return string(e.Data) == "/k\x00" })
	if e := o.Events[i]; e.Confidence != bootchain.Copied || !slices.Equal(e.Digests[pcr.SHA256], pcr.SHA256.Sum([]byte("kernel"))) {
		t.Errorf("%+v", e)
	}
	if last := o.Events[len(o.Events)-1]; string(last.Data) != "kernel_cmdline: /k quiet\x00" || len(last.Digests) != 1 {
		t.Errorf("%q with %d digests: want the command line in the log's one bank", last.Data, len(last.Digests))
	}
}

// A script that is not in a manifest is no reason for doubt as long as nothing
// else changes, and is one as soon as a changed script follows it.
func TestUnlistedScript(t *testing.T) {
	l := newGRUBLog()
	l.commands("source (hd0,gpt1)/stub.cfg")
	l.file("(hd0,gpt1)/stub.cfg", "configfile /grub.cfg")
	l.commands("configfile (hd0,gpt1)/grub.cfg")
	l.file("(hd0,gpt1)/grub.cfg", "old")
	same := files(t, map[string]string{"/k": "kernel"})
	if o := follow(t, l.Log, same, same); len(o.Doubts) > 0 {
		t.Errorf("doubts %v", o.Doubts)
	}
	o := follow(t, l.Log, same, files(t, map[string]string{"/grub.cfg": "new"}))
	var doubted []int
	for _, d := range o.Doubts {
		doubted = append(doubted, d.PCR)
	}
	slices.Sort(doubted)
	if got := slices.Compact(doubted); !slices.Equal(got, []int{4, 8, 9}) {
		t.Errorf("PCRs %v are in doubt, want 4, 8, 9: %v", got, o.Doubts)
	}
}
