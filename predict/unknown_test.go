package predict_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/bootseal/bootseal/bootchain"
	"github.com/bootseal/bootseal/internal/boots"
	"github.com/bootseal/bootseal/internal/efivars"
	"github.com/bootseal/bootseal/pcr"
	"github.com/bootseal/bootseal/predict"
)

// What cannot be told is unknown, with a reason, and the other PCRs stay right.
func TestUnknown(t *testing.T) {
	old, upgraded := load(t, boots.Second), load(t, boots.Upgraded)
	edit := func(from, to string) bootchain.Manifest { return edited(t, upgraded.Manifest, from, to) }
	for _, test := range []struct {
		name     string
		old, new bootchain.Manifest
		doubt    []int
		reason   string // of the first
	}{
		{"a file system that is in no manifest", old.Manifest, edit("CAFE-0001", "CAFE-0002"), []int{4, 8, 9}, "which device the file system UUID CAFE-0002 has is not known"},
		{"a manifest of another boot", upgraded.Manifest, upgraded.Manifest, []int{4, 8, 9}, "of the last boot is not what the model leads to"},
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

// edited returns the manifest with a line of grub.cfg changed.
func edited(t testing.TB, m bootchain.Manifest, from, to string) bootchain.Manifest {
	t.Helper()
	cfg := m.Volumes[0].Files[grubCfg].Text
	if !strings.Contains(cfg, from) {
		t.Fatalf("grub.cfg has no %q", from)
	}
	return withText(t, m, grubCfg, strings.Replace(cfg, from, to, 1))
}

// A way on which a program is missing or will be refused halts, and says why.
func TestHalts(t *testing.T) {
	c := loadChain(t, "a-shim-grub-sb")
	s := c.step(t, second)
	kernel := c.after.Volumes[0].Files[kernel56].Program
	grub := c.after.Volumes[0].Files["/EFI/BOOT/grubx64.efi"].Program
	forbid := func(digest pcr.Digest) efivars.Set {
		v := c.vars.Clone()
		dbx, _ := v.Get("dbx", efivars.ImageSecurity)
		v.Put("dbx", efivars.ImageSecurity, append(slices.Clone(dbx), efivars.HashList(make([]byte, 16), digest)...))
		return v
	}
	newLevel := c.vars.Clone()
	newLevel.Put("SbatLevelRT", efivars.Shim, []byte("sbat,1,2030010100\ngrub,99\n"))
	otherDB := c.vars.Clone()
	pk, _ := otherDB.Get("PK", efivars.Global)
	otherDB.Put("db", efivars.ImageSecurity, pk)
	for _, test := range []struct {
		name  string
		files bootchain.Manifest
		vars  efivars.Set
		want  string
	}{
		{"GRUB is gone", without(c.after, "/EFI/BOOT/grubx64.efi"), c.vars, "/EFI/BOOT/grubx64.efi, which shim starts, is not there"},
		{"the kernel that grub.cfg names is not there", edited(t, c.after, "linux\t/boot/vmlinuz-6.1.0-56", "linux\t/boot/vmlinuz-6.1.0-57"), c.vars, "GRUB waits in a menu"},
		{"GRUB's digest is in dbx", c.after, forbid(grub.Authenticode[pcr.SHA256]), "shim refuses /EFI/BOOT/grubx64.efi: its digest is in dbx"},
		{"the kernel's digest is in dbx", c.after, forbid(kernel.Authenticode[pcr.SHA256]), "shim refuses /boot/vmlinuz-6.1.0-56-cloud-amd64: its digest is in dbx"},
		{"GRUB's generation is revoked", c.after, newLevel, "grub has generation 5, the revocation level demands 99"},
		{"db has other certificates", c.after, otherDB, "the firmware refuses /EFI/BOOT/BOOTX64.EFI: no entry of db"},
		{"the kernel is not signed", withFile(c.after, kernel56, func(f bootchain.File) *bootchain.File {
			f.Program.Signers = nil
			return &f
		}), c.vars, "as it is not signed"},
		{"the kernel is no program", withFile(c.after, kernel56, func(f bootchain.File) *bootchain.File {
			f.Program = nil
			return &f
		}), c.vars, "is no program that can be read"},
	} {
		in := c.machine(s, test.files)
		in.Vars = test.vars
		p := predictFirst(t, in)
		if !strings.Contains(p.Halts, test.want) {
			t.Errorf("%s: halts %q, want %q in it", test.name, p.Halts, test.want)
		}
		for _, i := range always.Indexes() {
			if !slices.Contains(p.Unknown, i) {
				t.Errorf("%s: PCR %d is known", test.name, i)
			}
		}
	}
}

// TestPickedInTheMenu: nothing changed since the last boot, which is one of the predicted ways. So what
// another entry of the same menu measures follows from the same files, and is known.
func TestPickedInTheMenu(t *testing.T) {
	b := loadFresh(t, "grub", 0)
	in := b.in
	in.Files, in.GPT = b.file, b.gpt
	p, err := predict.Next(in)
	if err != nil {
		t.Fatal(err)
	}
	seen := false
	for _, path := range p.Paths {
		if path.Halts != "" || !strings.Contains(path.Name, "Advanced options") {
			continue
		}
		seen = true
		if !strings.Contains(path.Name, "somebody picks") || len(path.If) > 0 {
			t.Errorf("%s: beside what somebody picks it depends on %q", path.Name, path.If)
		}
		for _, d := range path.Doubts {
			if d.PCR == 8 || d.PCR == 9 {
				t.Errorf("%s: PCR %d: %s", path.Name, d.PCR, d.Reason)
			}
		}
		likeliest, _ := p.Paths[0].PCRs.Get(pcr.SHA256, 8)
		if other, ok := path.PCRs.Get(pcr.SHA256, 8); !ok || other.Equal(likeliest) {
			t.Errorf("%s: PCR 8 is that of the likeliest way, or unknown", path.Name)
		}
	}
	if !seen {
		t.Error("no way leads through the submenu")
	}
}
