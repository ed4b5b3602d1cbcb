package grub

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/rogpeppe/go-internal/txtar"
)

// debian12 is Debian 12's signed GRUB, 2.06-13+deb12u2, as ReadBinary reads it.
func debian12(t testing.TB) Binary {
	t.Helper()
	text, err := os.ReadFile("testdata/debian12.json")
	if err != nil {
		t.Fatal(err)
	}
	var b Binary
	if err := json.Unmarshal(text, &b); err != nil {
		t.Fatal(err)
	}
	return b
}

// On recorded boots of Debian 12, with and without Secure Boot and over an upgrade
// of the kernel, the evaluator yields each event of PCRs 8 and 9 exactly.
func TestRecordedBoots(t *testing.T) {
	names, err := filepath.Glob("testdata/recorded/*.txtar")
	if err != nil || len(names) == 0 {
		t.Fatal("no recordings", err)
	}
	for _, name := range names {
		t.Run(strings.TrimSuffix(filepath.Base(name), ".txtar"), func(t *testing.T) {
			a, err := txtar.ParseFile(name)
			if err != nil {
				t.Fatal(err)
			}
			files, digests := make(fstest.MapFS), make(map[string]string)
			want := ""
			for _, f := range a.Files {
				switch f.Name {
				case "events":
					want = string(f.Data)
				case "digests":
					for line := range strings.Lines(string(f.Data)) {
						digest, path, _ := strings.Cut(strings.TrimSpace(line), " ")
						digests[path] = digest
						files[path[1:]] = &fstest.MapFile{}
					}
				default:
					files[f.Name] = &fstest.MapFile{Data: f.Data}
				}
			}
			w := Disks{{Name: "hd0"}, {Name: "hd0,gpt1", Device: Device{FSUUID: "CAFE-0001", FS: "fat"}, Files: files, FoldCase: true}}
			i := &Image{Binary: debian12(t), Device: "hd0,gpt1", Folder: "/EFI/BOOT", SecureBoot: strings.HasPrefix(filepath.Base(name), "a")}
			out, err := Run(w, i, Options{})
			if err != nil {
				t.Fatal(err)
			}
			o := out[0]
			if got := o.logged(&i.Dialect, digests); got != want || o.End != Booted || len(o.Doubts) > 0 || o.Cost != 0 {
				t.Errorf("it %s, doubts %v, and logs\n%swant\n%s", o.End, o.Doubts, got, want)
			}
		})
	}
}

// logged lists effects as events: register, SHA-256, event.
func (o *Outcome) logged(d *Dialect, digests map[string]string) string {
	var sb strings.Builder
	for i := range o.Effects {
		e := &o.Effects[i]
		data, hashed := d.Event(e)
		digest := digests[e.File.Path]
		if e.Kind != Opened {
			sum := sha256.Sum256(hashed)
			digest = hex.EncodeToString(sum[:])
		}
		fmt.Fprintf(&sb, "%d %s %s\n", e.PCR(), digest, strconv.Quote(strings.TrimSuffix(string(data), "\x00")))
	}
	return sb.String()
}

// The programs of Debian's packages are read as they are.
func TestReadInstalledBinary(t *testing.T) {
	const name = "/usr/lib/grub/x86_64-efi-signed/grubx64.efi.signed"
	f, err := os.Open(name)
	if err != nil {
		t.Skip("not installed: Debian's package grub-efi-amd64-signed")
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		t.Fatal(err)
	}
	b, err := ReadBinary(f, info.Size())
	if err != nil {
		t.Fatal(err)
	}
	if b.Prefix != "/EFI/debian" || !strings.Contains(b.Memdisk["/grub.cfg"], "source $prefix/grub.cfg") || !strings.HasPrefix(b.Dialect.Name, "Debian's GRUB 2.") {
		t.Errorf("read %+v", b)
	}
}
