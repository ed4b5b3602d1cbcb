package grub

import (
	"bytes"
	"os"
	"strings"
	"testing"
)

// Any script ends in outcomes that two runs agree on, with bounded effort.
func FuzzRun(f *testing.F) {
	for _, s := range rules {
		f.Add(s, "")
	}
	f.Add("load_env\nif [ $recordfail ]; then set timeout=-1; else set timeout=0; fi\nsave_env recordfail\nmenuentry a { linux /k\n}", envSignature+"recordfail=1\n####")
	f.Add("blscfg\nsource /i\nsubmenu s { menuentry t { configfile /boot/grub/grub.cfg\n}\n}\nset timeout=0", "title x\nlinux /k\n")
	f.Add("while true; do true; done", "")
	f.Add("function f { f; }\nf", "")
	f.Add("set x=aaaaaaaaaaaaaaaa\nwhile true; do set x=$x$x; done", "")
	f.Add("source /boot/grub/grub.cfg", "")
	f.Add("x=\"", strings.Repeat("\\\"\n", 100))
	f.Fuzz(func(t *testing.T, cfg, other string) {
		w := machine(map[string]string{"/boot/grub/grub.cfg": cfg, "/boot/grub/grubenv": other, "/k": other, "/i": other,
			"/loader/entries/a-1.conf": other, "/loader/entries/a-2.conf": "linux /k"})
		for _, d := range []Dialect{Debian, Fedora, CoreOS} {
			i := image()
			i.Dialect = d
			o := Options{MaxOutcomes: 4, MaxSteps: 2000}
			a, err := Run(w, i, o)
			if err != nil || len(a) == 0 {
				t.Fatal(err)
			}
			b, err := Run(w, i, o)
			if err != nil || len(a) != len(b) {
				t.Fatal("two runs differ in their outcomes", err)
			}
			for n := range a {
				if a[n].measured() != b[n].measured() || a[n].End != b[n].End {
					t.Errorf("two runs differ in outcome %d", n)
				}
				if a[n].End == Booted && a[n].Boot.Command == "" || a[n].End == Lost && len(a[n].Doubts) == 0 || a[n].End == "" {
					t.Errorf("outcome %d %s: boots %v, doubts %v", n, a[n].End, a[n].Boot, a[n].Doubts)
				}
			}
		}
	})
}

// What a block holds after a change is what was set, and the block keeps its size.
func FuzzEnvironment(f *testing.F) {
	f.Add([]byte(envSignature+"a=1\nb=2\n#########"), "a", "x\\y\nz")
	f.Add([]byte(envSignature), "b", "")
	f.Add([]byte(envSignature+"a=\\\n"), "a", "1")
	f.Fuzz(func(t *testing.T, block []byte, name, value string) {
		before, valid := ParseEnvironment(block)
		out, fits := SetEnvironment(block, name, value)
		if fits && len(out) != len(block) {
			t.Fatalf("the block has %d bytes, then %d", len(block), len(out))
		}
		if gone := UnsetEnvironment(block, name); len(gone) != len(block) {
			t.Fatalf("the block has %d bytes, then %d", len(block), len(gone))
		}
		plain := name != "" && !strings.ContainsAny(name, "=\n\r\\#\x00") && !strings.ContainsAny(value, "\x00")
		if !valid || !fits || !plain || len(before) > 0 && bytes.ContainsAny(block, "\\\r\x00") {
			return
		}
		after, _ := ParseEnvironment(out)
		for _, v := range after {
			if v.Name == name && v.Value == value {
				return
			}
		}
		// Text that is no variable may hide it.
		if bytes.Count(block, []byte("\n")) == 1+len(before) {
			t.Errorf("%q: set %q to %q: %q", block, name, value, out)
		}
	})
}

// Programs, memdisks and catalogs are read without a panic, and within bounds.
func FuzzReadBinary(f *testing.F) {
	f.Add([]byte("MZ"))
	mods := make([]byte, headerBytes+16)
	copy(mods, "mimg")
	mods[8], mods[16] = headerBytes, headerBytes+16
	mods[headerBytes], mods[headerBytes+4] = objectConf, 16
	f.Add(mods)
	fat := make([]byte, 4096)
	copy(fat[11:], []byte{0, 2, 1, 1, 0, 1, 16, 0, 8, 0, 0, 1, 0})
	fat[510], fat[511] = 0x55, 0xaa
	copy(fat[1024:], "GRUB    CFG\x20")
	f.Add(fat)
	f.Add(squashfs())
	f.Add([]byte("\xde\x12\x04\x95\x00\x00\x00\x00\x01\x00\x00\x00\x14\x00\x00\x00\x1c\x00\x00\x00"))
	if b, err := os.ReadFile("/usr/share/locale/de/LC_MESSAGES/grub.mo"); err == nil && len(b) < 1<<20 {
		f.Add(b[:1000])
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if _, err := ReadBinary(bytes.NewReader(b), int64(len(b))); err == nil {
			return
		}
		var read Binary
		if err := read.readObjects(b); err == nil && len(read.Modules) > maxModules {
			t.Error("too many modules")
		}
		if files, err := readMemdisk(b); err == nil && len(files) > maxMemdiskFiles {
			t.Error("too many files")
		}
		if _, err := parseCatalog(b); err == nil && len(b) < 20 {
			t.Error("a short catalog is read")
		}
		if _, err := moduleNeeds(b); err == nil && len(b) < 52 {
			t.Error("a short module is read")
		}
	})
}
