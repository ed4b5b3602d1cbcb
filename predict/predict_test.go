package predict_test

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
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

func next(t testing.TB, l *eventlog.Log, old, new bootchain.Manifest) *predict.Path {
	t.Helper()
	p, err := predict.Next(l, old, new)
	if err != nil {
		t.Fatal(err)
	}
	if len(p.Paths) != 1 {
		t.Fatalf("%d paths, want 1", len(p.Paths))
	}
	return &p.Paths[0]
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
	m.Files = maps.Clone(m.Files)
	f := m.Files[path]
	f.Digests = maps.Clone(f.Digests)
	if f.Program != nil {
		p := *f.Program
		p.Authenticode = maps.Clone(p.Authenticode)
		f.Program = &p
	}
	if g := change(f); g != nil {
		m.Files[path] = *g
	} else {
		delete(m.Files, path)
	}
	return m
}

func without(m bootchain.Manifest, path string) bootchain.Manifest {
	return withFile(m, path, func(bootchain.File) *bootchain.File { return nil })
}

func withText(t testing.TB, m bootchain.Manifest, path, text string) bootchain.Manifest {
	t.Helper()
	f, err := bootchain.MeasureFile(path, strings.NewReader(text))
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

// Each recorded boot follows from the log of the one before and the files: every
// PCR of every bank, and every event.
func TestRecordedBoots(t *testing.T) {
	for _, step := range []struct {
		from, to boots.Name
		why      string
	}{
		{boots.First, boots.Second, "the same software, with a TPM and variables that are no longer new"},
		{boots.Second, boots.Second, "a boot predicts itself"},
		{boots.Second, boots.Upgraded, "another kernel, initial ramdisk and grub.cfg"},
		{boots.First, boots.Upgraded, "the same, from the first boot's log"},
		{boots.Upgraded, boots.Second, "back to the kernel before"},
	} {
		from, to := load(t, step.from), load(t, step.to)
		p := next(t, from.Log, from.Manifest, to.Manifest)
		if m := misses(t, p, to.PCRs); len(m) > 0 {
			t.Errorf("%s to %s (%s): PCRs %v are otherwise", step.from, step.to, step.why, m)
		}
		if d, err := p.Differences(to.Log); err != nil || len(d) > 0 {
			t.Errorf("%s to %s (%s): %v, %v", step.from, step.to, step.why, d, err)
		}
		for _, bank := range pcr.Banks() {
			want := pcr.Select(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 12, 13, 14, 15)
			if got := p.Known(bank); got != want {
				t.Errorf("%s to %s: %s has PCRs %v, want %v", step.from, step.to, bank, got, want)
			}
		}
	}
}

// Without Secure Boot, GRUB does not have shim verify the kernel: the model
// takes from the log that nothing is measured to PCR 4 then.
func TestWithoutSecureBoot(t *testing.T) {
	old, upgraded := load(t, boots.Second), load(t, boots.Upgraded)
	from, _ := recorded(t, "b-shim-grub-nosb/2-k54-second")
	to, values := recorded(t, "b-shim-grub-nosb/3-k56-upgraded")
	p := next(t, from, old.Manifest, upgraded.Manifest) // the chains booted the same files
	if m := misses(t, p, values); len(m) > 0 || len(doubted(p)) > 0 {
		t.Errorf("PCRs %v are otherwise, %v unknown", m, doubted(p))
	}
	if d, err := p.Differences(to); err != nil || len(d) > 0 {
		t.Errorf("%v, %v", d, err)
	}
}

func recorded(t testing.TB, name string) (*eventlog.Log, pcr.Values) {
	t.Helper()
	dir := filepath.Join("..", "eventlog", "testdata", "boots", name)
	data, err := os.ReadFile(filepath.Join(dir, "eventlog.bin"))
	if err != nil {
		t.Fatal(err)
	}
	l, err := eventlog.Parse(data, eventlog.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(filepath.Join(dir, "pcrs.txt"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	values, err := pcr.ParseValues(f)
	if err != nil {
		t.Fatal(err)
	}
	return l, values
}

// Chains that there is no model of yet are predicted as long as nothing changes.
func TestOtherChainsUnchanged(t *testing.T) {
	for _, chain := range []string{"c-uki-nosb", "d-sdboot-type1-sb", "e-efistub-nosb"} {
		from, _ := recorded(t, chain+"/1-k54-firstboot")
		_, values := recorded(t, chain+"/2-k54-second")
		p := next(t, from, bootchain.Manifest{}, bootchain.Manifest{})
		if m := misses(t, p, values); len(m) > 0 || len(doubted(p)) > 0 {
			t.Errorf("%s: PCRs %v are otherwise, %v unknown", chain, m, doubted(p))
		}
	}
}

// When something changes in such a chain, PCRs are unknown rather than wrong.
func TestOtherChainsUpgraded(t *testing.T) {
	dir := os.Getenv("BOOTSEAL_BOOTS")
	if dir == "" {
		t.Skip("BOOTSEAL_BOOTS is not set: it names the folder of recorded boots with the files that were booted, 92 MB")
	}
	for _, test := range []struct {
		chain string
		doubt []int
		why   string
	}{
		{"a-shim-grub-sb", nil, "the chain that there is a model of"},
		{"b-shim-grub-nosb", nil, "the same without Secure Boot"},
		{"c-uki-nosb", []int{4, 9, 11}, "the firmware starts the whole image, which measures its sections and starts a kernel inside"},
		{"d-sdboot-type1-sb", []int{4, 7, 9, 12}, "the entry names another kernel"},
		{"e-efistub-nosb", []int{9}, "the firmware starts the kernel, whose stub measures more"},
	} {
		from, _ := recorded(t, test.chain+"/2-k54-second")
		_, values := recorded(t, test.chain+"/3-k56-upgraded")
		p := next(t, from, booted(t, dir, test.chain, "2-k54-second"), booted(t, dir, test.chain, "3-k56-upgraded"))
		for bank, wrong := range misses(t, p, values) {
			t.Errorf("%s: %s PCRs %v are wrong rather than unknown", test.chain, bank, wrong)
		}
		if got := doubted(p); !slices.Equal(got, test.doubt) {
			t.Errorf("%s (%s): PCRs %v are unknown, want %v: %v", test.chain, test.why, got, test.doubt, p.Doubts)
		}
	}
}

// booted measures the files that a recorded boot booted.
func booted(t testing.TB, dir, chain, step string) bootchain.Manifest {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(dir, chain, step, "esp.json"))
	if err != nil {
		t.Fatal(err)
	}
	var listed map[string]struct{ SHA256 string }
	if err := json.Unmarshal(data, &listed); err != nil {
		t.Fatal(err)
	}
	m := bootchain.Manifest{Files: make(map[string]bootchain.File)}
	for path, l := range listed {
		f, err := os.Open(filepath.Join(dir, "files", l.SHA256))
		if err != nil {
			t.Fatal(err)
		}
		if m.Files[path], err = bootchain.MeasureFile(path, f); err != nil {
			t.Fatal(err)
		}
		f.Close()
	}
	return m
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

// What cannot be told is unknown, with a reason, and the other PCRs stay right.
func TestUnknown(t *testing.T) {
	old, upgraded := load(t, boots.Second), load(t, boots.Upgraded)
	cfg := upgraded.Manifest.Files[grubCfg].Text
	edit := func(from, to string) bootchain.Manifest {
		if !strings.Contains(cfg, from) {
			t.Fatalf("grub.cfg has no %q", from)
		}
		return withText(t, upgraded.Manifest, grubCfg, strings.Replace(cfg, from, to, 1))
	}
	grub := []int{4, 8, 9}
	for _, test := range []struct {
		name     string
		old, new bootchain.Manifest
		doubt    []int
		reason   string // of the first
	}{
		{"a condition", old.Manifest, edit("set timeout=0\n", "if true ; then\nset timeout=0\nfi\n"), grub, `/boot/grub/grub.cfg line 3: "if" is not understood`},
		{"a command", old.Manifest, edit("set timeout=0\n", "set timeout=0\nterminal_output console\n"), grub, `line 4: the command "terminal_output"`},
		{"a module that may be a file", old.Manifest, edit("insmod fat", "insmod ext2"), grub, `line 6: the boot in the log did not run "insmod ext2"`},
		{"a variable that GRUB sets", old.Manifest, edit("insmod fat", "echo $grub_cpu"), grub, "line 6: the value of $grub_cpu"},
		{"a file system that was not searched for", old.Manifest, edit("CAFE-0001", "CAFE-0002"), grub, "line 7: the boot in the log did not search for the file system CAFE-0002"},
		{"a menu that waits", old.Manifest, edit("timeout=0", "timeout=-1"), grub, "a person chooses"},
		{"a kernel that is not there", old.Manifest, edit("/boot/vmlinuz-6.1.0-56", "/boot/vmlinuz-6.1.0-57"), grub, "line 9: /boot/vmlinuz-6.1.0-57-cloud-amd64 is not in the manifest"},
		{"another device", old.Manifest, edit("linux\t/boot", "linux\t(hd1,gpt1)/boot"), grub, `the device "hd1,gpt1"`},
		{"no text of the last boot's script", without(old.Manifest, grubCfg), upgraded.Manifest, grub, "does not lead to the last boot's events"},
		{"a manifest of another boot", upgraded.Manifest, upgraded.Manifest, grub, "does not lead to the last boot's events: event 42"},
		{"another shim", old.Manifest, replaced(upgraded.Manifest, "/EFI/BOOT/BOOTX64.EFI"), []int{4, 7, 14}, "another shim"},
		{"another GRUB", old.Manifest, replaced(upgraded.Manifest, "/EFI/BOOT/grubx64.efi"), grub, "another GRUB"},
		{"a kernel signed by others", old.Manifest, withFile(upgraded.Manifest, kernel56, func(f bootchain.File) *bootchain.File {
			f.Program.Signers = nil
			return &f
		}), []int{7}, "not signed as before"},
		{"a kernel that is no program", old.Manifest, withFile(upgraded.Manifest, kernel56, func(f bootchain.File) *bootchain.File {
			f.Program = nil
			return &f
		}), []int{4, 7}, "is no program that can be read"},
		{"a removed loader", old.Manifest, without(upgraded.Manifest, "/EFI/BOOT/grubx64.efi"), []int{4, 7, 8, 9}, "no longer there"},
	} {
		p := next(t, old.Log, test.old, test.new)
		if got := doubted(p); !slices.Equal(got, test.doubt) {
			t.Errorf("%s: PCRs %v are unknown, want %v: %v", test.name, got, test.doubt, p.Doubts)
			continue
		}
		if got := reasons(p, test.doubt[0]); !strings.Contains(got, test.reason) {
			t.Errorf("%s: the reason is %q, want %q in it", test.name, got, test.reason)
		}
		if m := misses(t, p, upgraded.PCRs); len(m) > 0 {
			t.Errorf("%s: PCRs %v are wrong rather than unknown", test.name, m)
		}
	}
}

// replaced makes a program another one that the same signers signed.
func replaced(m bootchain.Manifest, path string) bootchain.Manifest {
	return withFile(m, path, func(f bootchain.File) *bootchain.File {
		for _, b := range pcr.Banks() {
			f.Digests[b] = flip(f.Digests[b])
			f.Program.Authenticode[b] = flip(f.Program.Authenticode[b])
		}
		return &f
	})
}

// A new initial ramdisk under the old name needs no scripts: GRUB runs the same
// commands, whatever they are.
func TestSameScripts(t *testing.T) {
	old := load(t, boots.Second)
	const initrd54 = "/boot/initrd.img-6.1.0-54-cloud-amd64"
	noText := func(m bootchain.Manifest) bootchain.Manifest {
		return withFile(m, grubCfg, func(f bootchain.File) *bootchain.File {
			f.Text = ""
			return &f
		})
	}
	changed := withFile(old.Manifest, initrd54, func(f bootchain.File) *bootchain.File {
		f.Digests = old.Manifest.Files[kernel54].Digests
		return &f
	})
	p := next(t, old.Log, noText(old.Manifest), noText(changed))
	if got := doubted(p); len(got) > 0 {
		t.Errorf("PCRs %v are unknown: %v", got, p.Doubts)
	}
	got := misses(t, p, old.PCRs)
	for _, bank := range pcr.Banks() {
		if !slices.Equal(got[bank], []int{9}) {
			t.Errorf("%s PCRs %v change, want 9", bank, got[bank])
		}
	}
}

// What neither manifest has is taken to stay, and the event says so.
func TestPartialManifest(t *testing.T) {
	old, upgraded := load(t, boots.Second), load(t, boots.Upgraded)
	const loader = "/EFI/BOOT/grubx64.efi"
	p := next(t, old.Log, without(old.Manifest, loader), without(upgraded.Manifest, loader))
	if m := misses(t, p, upgraded.PCRs); len(m) > 0 || len(doubted(p)) > 0 {
		t.Errorf("PCRs %v are otherwise, %v unknown", m, doubted(p))
	}
	if e := p.Events[33]; e.Confidence != bootchain.Copied || !strings.Contains(e.Reason, loader+" is in neither manifest") {
		t.Errorf("event 33: %s, %s", e.Confidence, e.Reason)
	}
}

// The same input gives the same bytes, in the form that others read.
func TestJSON(t *testing.T) {
	old, upgraded := load(t, boots.Second), load(t, boots.Upgraded)
	encode := func() []byte {
		p, err := predict.Next(old.Log, old.Manifest, upgraded.Manifest)
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
		p.Name != "firmware, shim, GRUB, Linux kernel" || !slices.Contains(p.Unknown, 10) {
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
		{"no log", nil, b.Manifest, "the log has no events"},
		{"text that is not the file's", b.Log, withFile(b.Manifest, grubCfg, func(f bootchain.File) *bootchain.File {
			f.Text += "\n"
			return &f
		}), "/boot/grub/grub.cfg: the sha1 digest is not that of the text"},
		{"a digest of a wrong size", b.Log, withFile(b.Manifest, kernel54, func(f bootchain.File) *bootchain.File {
			f.Digests[pcr.SHA256] = f.Digests[pcr.SHA1]
			return &f
		}), "sha256 digest of 20 bytes"},
	} {
		if _, err := predict.Next(test.log, b.Manifest, test.new); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: error %v, want %q", test.name, err, test.want)
		}
	}
	if _, err := next(t, b.Log, b.Manifest, b.Manifest).Misses(pcr.Values{}); err == nil {
		t.Error("no values agree with the prediction")
	}
}
