package grub

import (
	"slices"
	"strings"
	"testing"
)

const boots = "set timeout=0\nmenuentry A --unrestricted { linux /k $x\n}\n"

// What each command does to the boot: a script, and the outcomes that it leads to.
func TestOutcomes(t *testing.T) {
	for _, test := range []struct{ why, script, want string }{
		{"without a timeout GRUB waits for somebody", "menuentry A --unrestricted { linux /k\n}\n",
			"0 waits in a menu \"\" \n1 boots \"A\" /k because somebody picks \"A\" in the menu\n"},
		{"without entries it shows its prompt", "true", "0 waits at a prompt \"\" \n"},
		{"a timeout that is no number is none", "set timeout=x\nmenuentry A --unrestricted { halt\n}\n",
			"0 waits in a menu \"\" \n1 turns off \"A\"  because somebody picks \"A\" in the menu\n"},
		{"a menu that is shown invites more than one that is hidden", "set timeout=9\nmenuentry A --unrestricted { linux /k\n}\nmenuentry B --unrestricted { reboot\n}\n",
			"0 boots \"A\" /k\n2 restarts \"B\"  because somebody picks \"B\" in the menu\n"},
		{"with a password an entry waits, unless it is unrestricted", "set superusers=root\npassword root x\nset timeout=0\nmenuentry A { linux /k\n}\n",
			"0 waits in a menu \"\" \n2 boots \"A\" /k because somebody enters a password\n"},
		{"the setup of the firmware is an entry of its own", "fwsetup --is-supported\nif [ \"$?\" = 0 ]; then x=setup; fi\n" + boots,
			"0 boots \"A\" /k\n3 boots \"A\" /k because the firmware's setup cannot be asked for\n"},
		{"a key may be held down", "if keystatus --shift; then x=y; fi\n" + boots, "0 boots \"A\" /k\n4 boots \"A\" /k because somebody holds down a key\n"},
		{"choices that change nothing are no outcomes", "keystatus --shift\nsleep --interruptible 1\n" + boots, "0 boots \"A\" /k\n"},
		{"the default entry fails, and the next one is tried", "set fallback=1\nset timeout=0\nmenuentry A --unrestricted { linux /none\n}\nmenuentry B --unrestricted { chainloader /i\n}\n",
			"0 boots \"B\" /i\n"},
		{"exit returns to the firmware", "exit", "0 leaves GRUB \"\" \n"},
		{"boot without a kernel fails, and all goes on", "boot\n" + boots, "0 boots \"A\" /k\n"},
		{"a kernel at the top level is booted by boot", "linux /k\ninitrd /i\nboot", "0 boots \"\" /k\n"},
		{"loops that do not end are cut off", "while true; do true; done", "0 is not known \"\" \n"},
		{"what is not modeled is not guessed", "net_bootp\n" + boots, "0 is not known \"\" \n"},
	} {
		out := outcomes(t, test.script, nil)
		if got := story(out); got != test.want {
			t.Errorf("%s:\n%sgives\n%swant\n%s", test.why, test.script, got, test.want)
		}
	}
}

// An outcome that is lost says where, why, and for which registers.
func TestLost(t *testing.T) {
	for _, test := range []struct{ script, want string }{
		{"set a=1\nnet_bootp", `(hd0,gpt1)/boot/grub/grub.cfg line 2: what "net_bootp" does is not modeled`},
		{"smbios --type 1 --get-string 5 --set x", `line 1: what "smbios --type 1 --get-string 5" answers on this machine is not known`},
		{"while true; do x=$x; done", "line 1: the scripts run more than 50000 commands: they may never end"},
		{"x=aaaaaaaa\nwhile true; do x=$x$x; done", "the scripts handle more than 16 MiB of text"},
		{"regexp '(?P<a' x", "the regular expression"},
		{strings.Repeat("menuentry a {\n", 300), "blocks are nested too deeply"},
	} {
		o := outcomes(t, test.script, nil)[0]
		if o.End != Lost || len(o.Doubts) == 0 || !strings.Contains(o.Doubts[0].Reason, test.want) || !slices.Equal(o.Doubts[0].PCRs, []int{4, 8, 9}) {
			t.Errorf("%.80q: %s, doubts %v; want %q", test.script, o.End, o.Doubts, test.want)
		}
	}
}

// Endless recursion is GRUB's own error where it has a limit, and ours elsewhere.
func TestRecursion(t *testing.T) {
	for _, script := range []string{"function f { f; }\nf", "source /boot/grub/grub.cfg", "function f { if true; then for i in a; do eval f; done; fi; }\nf"} {
		w := machine(map[string]string{"/boot/grub/grub.cfg": script})
		out, err := Run(w, image(), Options{})
		if err != nil || out[0].End != AtPrompt || !strings.Contains(out[0].Output, "maximum recursion depth exceeded") {
			t.Errorf("%q: %s %v", script, out[0].End, err)
		}
		i := image()
		i.Dialect = Upstream206
		if out, err = Run(w, i, Options{}); err != nil || out[0].End != Lost {
			t.Errorf("%q without a limit: %s %v", script, out[0].End, err)
		}
	}
}

// vague is a world that cannot tell about some files.
type vague struct {
	Disks
	path string
}

func (v vague) Stat(f File) (Info, error) {
	if f.Path == v.path {
		return Info{}, ErrUnknown
	}
	return v.Disks.Stat(f)
}

func (v vague) ReadFile(f File) ([]byte, error) {
	if f.Path == v.path {
		return nil, ErrUnknown
	}
	return v.Disks.ReadFile(f)
}

// Where a file is not known to exist both ways are tried; a text that is needed and
// not known ends it.
func TestUnknownFiles(t *testing.T) {
	w := vague{machine(map[string]string{"/boot/grub/grub.cfg": "if [ -f /x ]; then x=1; fi\n" + boots, "/k": "k"}), "/x"}
	out, err := Run(w, image(), Options{})
	const want = "0 boots \"A\" /k\n3 boots \"A\" /k because (hd0,gpt1)/x does not exist\n"
	if got := story(out); err != nil || got != want {
		t.Errorf("%v: %s", err, got)
	}
	w.path = "/boot/grub/grub.cfg"
	out, err = Run(w, image(), Options{})
	if err != nil || out[0].End != Lost || !strings.Contains(out[0].Doubts[0].Reason, "the text of (hd0,gpt1)/boot/grub/grub.cfg is not known") {
		t.Errorf("%v: %v", err, out[0].Doubts)
	}
}

// Device trees and fonts are measured and refused under Secure Boot, also where
// the script does not look at it.
func TestSecureBootRefuses(t *testing.T) {
	w := machine(map[string]string{"/boot/grub/grub.cfg": "if loadfont /i; then x=font; fi\ndevicetree /i\ninsmod m\n" + boots, "/k": "k", "/i": "i",
		"/boot/grub/x86_64-efi/m.mod": "no module"})
	i := image()
	i.Modules = []string{"normal", "tpm", "font", "linux", "fdt", "boot"}
	i.SecureBoot = true
	out, err := Run(w, i, Options{})
	if err != nil {
		t.Fatal(err)
	}
	got := out[0].measured()
	for _, want := range []string{"8 loadfont /i\n9 /i\n8 devicetree /i\n9 /i\n8 insmod m\n9 (hd0,gpt1)/boot/grub/x86_64-efi/m.mod\n8 set timeout=0", "8 cmdline /k\n"} {
		if !strings.Contains(got, want) {
			t.Errorf("measures\n%swant\n%s", got, want)
		}
	}
	i.Dialect.NoModules = true
	if out, err = Run(w, i, Options{}); err != nil || strings.Contains(out[0].measured(), "9 (hd0,gpt1)/boot/grub/x86_64-efi/m.mod") {
		t.Error("a module is opened by a GRUB that opens none", err)
	}
}

// Devices are searched in GRUB's order: hints first.
func TestSearchOrder(t *testing.T) {
	d := machine(map[string]string{"/f": ""})
	d = append(d, Disk{Name: "hd1"}, Disk{Name: "hd1,gpt1", Device: Device{FSUUID: "cafe-0001", Label: "x"}, Files: d[1].Files, FoldCase: true})
	for _, test := range []struct {
		q    Query
		want string
	}{
		{Query{By: ByFSUUID, Key: "CAFE-0001"}, "hd0,gpt1"},
		{Query{By: ByFSUUID, Key: "CAFE-0001", Hints: []string{"hd1,gpt1"}}, "hd1,gpt1"},
		{Query{By: ByFSUUID, Key: "CAFE-0001", Hints: []string{"hd1,"}}, "hd1,gpt1"},
		{Query{By: ByFSUUID, Key: "CAFE-0001", Hints: []string{"hd9"}}, "hd0,gpt1"},
		{Query{By: ByLabel, Key: "x"}, "hd1,gpt1"},
		{Query{By: ByLabel, Key: "X"}, ""},
		{Query{By: ByFile, Key: "/F", Hints: []string{"hd0,gpt1"}}, "hd1,gpt1"},
		{Query{By: ByFSUUID, Key: "CAFE-0001", RootDiskOnly: true, Root: "hd1,gpt9"}, "hd1,gpt1"},
	} {
		got, err := d.Search(test.q)
		if got != test.want || test.want == "" && !notThere(err) {
			t.Errorf("%v finds %q, %v; want %q", test.q, got, err, test.want)
		}
	}
	if _, err := d.Stat(File{"hd1,gpt1", "/nosuch"}); !notThere(err) {
		t.Errorf("a file that is not there: %v", err)
	}
	if _, _, err := d.ReadDir(File{"hd0", "/"}); !notThere(err) {
		t.Errorf("a device without files: %v", err)
	}
}

// Versions are compared as rpm does, the newest first.
func TestCompareNVR(t *testing.T) {
	for _, test := range []struct {
		newer, older string
	}{{"id-6.10.0-1", "id-6.9.0-1"}, {"id-6.9.0-10", "id-6.9.0-9"}, {"id-6.9.0-1", "id-6.9.0-rc1"}, {"id-6.9.0-1", "id-6.9.0~rc1-1"}, {"id-6.9.0-1", "id-0-rescue"},
		{"b-1-1", "a-2-2"}, {"id-6.9.0+1-1", "id-6.9.0-1"}, {"id-6.9.01-2", "id-6.9.1-1"}, {"x", ""}} {
		if compareNVR(test.newer, test.older) != 1 || compareNVR(test.older, test.newer) != -1 || compareNVR(test.newer, test.newer) != 0 {
			t.Errorf("%q is not newer than %q: %d, %d", test.newer, test.older, compareNVR(test.newer, test.older), compareNVR(test.older, test.newer))
		}
	}
}

// A binary's dialect follows from its SBAT data.
func TestDialectOf(t *testing.T) {
	const upstream = "sbat,1,SBAT Version,sbat,1,https://x\ngrub,5,Free Software Foundation,grub,2.12,https://x\n"
	for _, test := range []struct{ sbat, want string }{
		{upstream + "grub.debian,5,Debian,grub2,2.12-9+deb13u4,https://x\n", "Debian's GRUB 2.12-9+deb13u4"},
		{upstream + "grub.ubuntu,2,Ubuntu,grub2,2.12-1ubuntu7,https://x\n", "Ubuntu's GRUB 2.12-1ubuntu7"},
		{upstream + "grub.rh,2,Red Hat,grub2,2.12-40.fc44,mail:x\n", "Fedora's GRUB 2.12-40.fc44"},
		{"grub,1,x,grub,2.02,x\ngrub.rh,2,Red Hat,grub2,2.02-99.el8,mail:x\n", "RHEL 8's GRUB 2.02-99.el8"},
		{upstream + "grub.opensuse,1,x,grub2,2.12,x\n", "SUSE's GRUB 2.12"},
		{upstream, "GRUB 2.12 2.12"},
		{"", "GRUB 2.14"},
	} {
		if got := DialectOf(test.sbat, ""); got.Name != test.want {
			t.Errorf("%q is %q, want %q", test.sbat, got.Name, test.want)
		}
	}
}
