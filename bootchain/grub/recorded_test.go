package grub

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/rogpeppe/go-internal/txtar"
)

// debian is the signed GRUB of a release of Debian, as ReadBinary reads it.
func debian(t testing.TB, release string) Binary {
	t.Helper()
	text, err := os.ReadFile("testdata/debian" + release + ".json")
	if err != nil {
		t.Fatal(err)
	}
	var b Binary
	if err := json.Unmarshal(text, &b); err != nil {
		t.Fatal(err)
	}
	return b
}

// recording is a recorded boot: its files, of which some have their text, and
// the events of GRUB.
type recording struct {
	Disks
	image   *Image
	digests map[string]string // by path
	want    string            // events
}

const untold = "contents that the recording does not have"

// ReadFile answers for texts only.
func (w *recording) ReadFile(f File) ([]byte, error) {
	b, err := w.Disks.ReadFile(f)
	if string(b) == untold {
		return nil, ErrUnknown
	}
	return b, err
}

func readRecording(t testing.TB, name string) *recording {
	t.Helper()
	a, err := txtar.ParseFile(name)
	if err != nil {
		t.Fatal(err)
	}
	w := &recording{digests: make(map[string]string)}
	files, loop := fstest.MapFS{"boot/grub/locale": &fstest.MapFile{Mode: 0o700 | os.ModeDir}}, make(fstest.MapFS)
	for _, f := range a.Files {
		switch f.Name {
		case "events":
			w.want = string(f.Data)
		case "digests":
			for line := range strings.Lines(string(f.Data)) {
				digest, path, _ := strings.Cut(strings.TrimSpace(line), " ")
				on := files
				if rest, found := strings.CutPrefix(path, "(loop0)"); found {
					on, path = loop, rest
				}
				w.digests[path] = digest
				on[path[1:]] = &fstest.MapFile{Data: []byte(untold)}
			}
		case "boot/grub/locale/de.mo": // a binary file
			b, err := base64.StdEncoding.DecodeString(strings.TrimSpace(string(f.Data)))
			if err != nil {
				t.Fatal(err)
			}
			files[f.Name] = &fstest.MapFile{Data: b}
		case "boot/grub/grubenv": // has no newline at its end
			files[f.Name] = &fstest.MapFile{Data: bytes.TrimSuffix(f.Data, []byte("\n"))}
		default:
			files[f.Name] = &fstest.MapFile{Data: f.Data}
		}
	}
	w.Disks = Disks{{Name: "hd0"}, {Name: "hd0,gpt1", Files: files, FoldCase: true, Ordered: true, Device: Device{
		FSUUID: "CAFE-0001", Label: "ESP", FS: "fat", PartMap: "gpt", Driver: "efidisk", PartUUID: "0"}},
		{Name: "loop0", Files: loop}}
	release := "12"
	switch comment := string(a.Comment); {
	case strings.Contains(comment, "GRUB 2.12"):
		release = "13"
	case strings.Contains(comment, "GRUB 2.14"):
		release = "14"
	}
	w.image = &Image{Binary: debian(t, release), Device: "hd0,gpt1", Folder: "/EFI/BOOT", SecureBoot: strings.Contains(string(a.Comment), "Secure Boot on")}
	return w
}

// On recorded boots of Debian 12 to 14, with and without Secure Boot and over an upgrade
// of the kernel, the evaluator yields each event of PCRs 8 and 9 exactly.
func TestRecordedBoots(t *testing.T) {
	names, err := filepath.Glob("testdata/recorded/*.txtar")
	if err != nil || len(names) == 0 {
		t.Fatal("no recordings", err)
	}
	for _, name := range names {
		t.Run(strings.TrimSuffix(filepath.Base(name), ".txtar"), func(t *testing.T) {
			w := readRecording(t, name)
			out, err := Run(w, w.image, Options{Facts: map[string]Fact{"smbios --type 0 --get-string 4": {Value: "EDK II"}}})
			if err != nil {
				t.Fatal(err)
			}
			o := out[0]
			if o.End != Booted || o.Cost != 0 {
				t.Errorf("it %s, because %q", o.End, o.Because)
			}
			got, want := strings.Split(o.logged(&w.image.Dialect, w.digests), "\n"), strings.Split(w.want, "\n")
			// Up to a doubt every event is the same, and after one those of the other register.
			if len(o.Doubts) > 0 {
				if len(o.Doubts) > 1 || !slices.Equal(o.Doubts[0].PCRs, []int{9}) || !strings.Contains(o.Doubts[0].Reason, "theme") {
					t.Fatalf("doubts %v", o.Doubts)
				}
				from := o.Doubts[0].From
				got, want = append(got[:from:from], strings8(got[from:])...), append(want[:from:from], strings8(want[from:])...)
			}
			for i := range min(len(got), len(want)) {
				if got[i] != want[i] {
					t.Fatalf("event %d of %d is\n%s\nwant\n%s", i, len(got), got[i], want[i])
				}
			}
			if len(got) != len(want) {
				t.Errorf("%d events, want %d", len(got), len(want))
			}
		})
	}
}

// strings8 leaves the events of PCR 8.
func strings8(events []string) []string {
	return slices.DeleteFunc(slices.Clone(events), func(e string) bool { return !strings.HasPrefix(e, "8 ") })
}

// logged lists effects as events: register, SHA-256, event.
func (o *Outcome) logged(d *Dialect, digests map[string]string) string {
	var sb strings.Builder
	for i := range o.Effects {
		e := &o.Effects[i]
		data, hashed := d.Event(e)
		digest := digests[e.File.Path]
		if hashed != nil {
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

func BenchmarkRun(b *testing.B) {
	w := readRecording(b, "testdata/recorded/debian-mkconfig.txtar")
	for b.Loop() {
		if _, err := Run(w, w.image, Options{}); err != nil {
			b.Fatal(err)
		}
	}
}
