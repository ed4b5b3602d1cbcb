package predict_test

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/bootseal/bootseal/bootchain"
	"github.com/bootseal/bootseal/eventlog"
	"github.com/bootseal/bootseal/internal/boots"
	"github.com/bootseal/bootseal/pcr"
	"github.com/bootseal/bootseal/predict"
)

const (
	grubCfg  = "/boot/grub/grub.cfg"
	kernel54 = "/boot/vmlinuz-6.1.0-54-cloud-amd64"
	kernel56 = "/boot/vmlinuz-6.1.0-56-cloud-amd64"
	initrd56 = "/boot/initrd.img-6.1.0-56-cloud-amd64"
)

func load(t testing.TB, name boots.Name) *boots.Boot {
	t.Helper()
	b, err := boots.Load(name)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func input(l *eventlog.Log, old, new bootchain.Manifest) predict.Input {
	return predict.Input{Machine: bootchain.Machine{Log: l, Booted: &old, Files: new}}
}

func next(t testing.TB, l *eventlog.Log, old, new bootchain.Manifest) *predict.Path {
	t.Helper()
	return predictFirst(t, input(l, old, new))
}

// misses returns the PCRs, by bank, that came out otherwise than predicted.
func misses(t testing.TB, p *predict.Path, values pcr.Values) map[pcr.Bank][]int {
	t.Helper()
	list, err := p.Misses(values)
	if err != nil {
		t.Fatal(err)
	}
	out := make(map[pcr.Bank][]int)
	for _, m := range list {
		out[m.Bank] = append(out[m.Bank], m.PCR)
	}
	return out
}

// doubted returns the unknown PCRs that a boot log speaks of.
func doubted(p *predict.Path) []int {
	return slices.DeleteFunc(slices.Clone(p.Unknown), func(i int) bool { return i == 10 || i >= 16 })
}

func reasons(p *predict.Path, index int) string {
	var out []string
	for _, d := range p.Doubts {
		if d.PCR == index {
			out = append(out, d.Reason)
		}
	}
	return strings.Join(out, "; ")
}

// withFile returns the manifest with one file changed; nil removes it.
func withFile(m bootchain.Manifest, path string, change func(bootchain.File) *bootchain.File) bootchain.Manifest {
	v := m.Volumes[0]
	v.Files = maps.Clone(v.Files)
	m.Volumes = []bootchain.Volume{v}
	f := v.Files[path]
	f.Digests = maps.Clone(f.Digests)
	if f.Program != nil {
		p := *f.Program
		p.Authenticode = maps.Clone(p.Authenticode)
		f.Program = &p
	}
	if g := change(f); g != nil {
		v.Files[path] = *g
	} else {
		delete(v.Files, path)
	}
	return m
}

func without(m bootchain.Manifest, path string) bootchain.Manifest {
	return withFile(m, path, func(bootchain.File) *bootchain.File { return nil })
}

func withText(t testing.TB, m bootchain.Manifest, path, text string) bootchain.Manifest {
	t.Helper()
	f, err := bootchain.MeasureFile(path, strings.NewReader(text), nil)
	if err != nil {
		t.Fatal(err)
	}
	return withFile(m, path, func(bootchain.File) *bootchain.File { return &f })
}

func flip(d pcr.Digest) pcr.Digest {
	d = slices.Clone(d)
	d[0] ^= 1
	return d
}

// A wrong digest in the manifest makes exactly the PCR differ into which it is
// measured, in its bank.
func TestWrongDigest(t *testing.T) {
	old, upgraded := load(t, boots.Second), load(t, boots.Upgraded)
	for _, test := range []struct {
		name, path string
		program    bool
		pcr        int
	}{
		{"kernel's bytes", kernel56, false, 9},
		{"kernel's Authenticode digest", kernel56, true, 4},
		{"initial ramdisk", initrd56, false, 9},
	} {
		m := withFile(upgraded.Manifest, test.path, func(f bootchain.File) *bootchain.File {
			digests := f.Digests
			if test.program {
				digests = f.Program.Authenticode
			}
			digests[pcr.SHA384] = flip(digests[pcr.SHA384])
			return &f
		})
		p := next(t, old.Log, old.Manifest, m)
		got := misses(t, p, upgraded.PCRs)
		if len(got) != 1 || !slices.Equal(got[pcr.SHA384], []int{test.pcr}) {
			t.Errorf("%s: PCRs %v differ, want sha384 PCR %d", test.name, got, test.pcr)
		}
		d, err := p.Differences(upgraded.Log)
		if err != nil || len(d) == 0 || d[0].PCR != test.pcr {
			t.Errorf("%s: differences %v, %v", test.name, d, err)
		}
	}
}

// The same input gives the same bytes, in the form that others read.
func TestJSON(t *testing.T) {
	old, upgraded := load(t, boots.Second), load(t, boots.Upgraded)
	encode := func() []byte {
		p, err := predict.Next(input(old.Log, old.Manifest, upgraded.Manifest))
		if err != nil {
			t.Fatal(err)
		}
		data, err := json.Marshal(p)
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
	data := encode()
	if again := encode(); string(data) != string(again) {
		t.Error("two predictions of the same boot differ")
	}
	var got struct {
		Paths []struct {
			Name, Entry string
			PCRs        map[string]map[string]string
			Events      []struct{ Stage, Description, Confidence, Reason string }
			Unknown     []int
		}
	}
	if err := json.Unmarshal(data, &got); err != nil {
		t.Fatal(err)
	}
	p := got.Paths[0]
	want, _ := upgraded.PCRs.Get(pcr.SHA256, 8)
	if p.PCRs["sha256"]["8"] != want.String() || p.Entry != "Debian GNU/Linux, with Linux 6.1.0-56-cloud-amd64" ||
		p.Name != "Boot0002 UEFI Misc Device, shim, GRUB, Debian GNU/Linux, with Linux 6.1.0-56-cloud-amd64, Linux 6.1.0-56-cloud-amd64" || !slices.Contains(p.Unknown, 10) {
		t.Errorf("name %q, entry %q, unknown %v, PCR 8 %s", p.Name, p.Entry, p.Unknown, p.PCRs["sha256"]["8"])
	}
	for i, e := range p.Events {
		if e.Stage == "" || e.Description == "" || e.Confidence == "" || e.Reason == "" {
			t.Errorf("event %d lacks something: %+v", i, e)
		}
	}
}

// Input that cannot be right is an error and no prediction.
func TestErrors(t *testing.T) {
	b := load(t, boots.Second)
	for _, test := range []struct {
		name string
		log  *eventlog.Log
		new  bootchain.Manifest
		want string
	}{
		{"no log", &eventlog.Log{}, b.Manifest, "the log has no events"},
		{"text that is not the file's", b.Log, withFile(b.Manifest, grubCfg, func(f bootchain.File) *bootchain.File {
			f.Text += "\n"
			return &f
		}), "/boot/grub/grub.cfg: the sha1 digest is not that of the text"},
		{"a digest of a wrong size", b.Log, withFile(b.Manifest, kernel54, func(f bootchain.File) *bootchain.File {
			f.Digests[pcr.SHA256] = f.Digests[pcr.SHA1]
			return &f
		}), "sha256 digest of 20 bytes"},
	} {
		if _, err := predict.Next(input(test.log, b.Manifest, test.new)); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: error %v, want %q", test.name, err, test.want)
		}
	}
	if _, err := next(t, b.Log, b.Manifest, b.Manifest).Misses(pcr.Values{}); err == nil {
		t.Error("no values agree with the prediction")
	}
}

// What signs for the boot of a unified kernel image comes in the image, and is told as it is.
func TestSignaturesOfAnImage(t *testing.T) {
	c := loadChain(t, "c-uki-nosb")
	s := c.step(t, "2-k54-second")
	next := func() *predict.Prediction {
		t.Helper()
		p, err := predict.Next(predict.Input{Machine: bootchain.Machine{Log: s.log, Files: c.before, Vars: c.vars, GPT: c.gpt, PCRs: s.pcrs}})
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	before := next().Paths[0]
	image := c.before.Volumes[0].Files["/EFI/BOOT/BOOTX64.EFI"].Program
	image.Sections = append(image.Sections, bootchain.Section{Name: ".pcrsig", Size: 2, Data: []byte("{}")})
	after := next().Paths[0]
	if before.Signatures != nil || string(after.Signatures) != "{}" {
		t.Errorf("signatures %q, then %q", before.Signatures, after.Signatures)
	}
	if !after.PCRs[pcr.SHA256][11].Equal(before.PCRs[pcr.SHA256][11]) {
		t.Error("they are measured into PCR 11")
	}
}
