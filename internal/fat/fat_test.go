package fat_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/bootseal/bootseal/internal/fat"
	"github.com/bootseal/bootseal/internal/gztest"
)

func image(t testing.TB, bits int) []byte {
	t.Helper()
	return gztest.Read(t, fmt.Sprintf("testdata/fat%d.img.gz", bits))
}

func open(t testing.TB, data []byte) *fat.FS {
	t.Helper()
	f, err := fat.Open(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// All three kinds hold what other tools wrote into them.
func TestKinds(t *testing.T) {
	const long = "loader/entries/debian-6.1.0-54-cloud-amd64+3-0.conf"
	var numbers strings.Builder
	for i := 1; i <= 2000; i++ {
		fmt.Fprintln(&numbers, i)
	}
	for _, bits := range []int{12, 16, 32} {
		f := open(t, image(t, bits))
		if f.UUID() != "CAFE-0001" || f.Label() != "BOOTSEAL" {
			t.Errorf("FAT%d: serial number %s, label %q", bits, f.UUID(), f.Label())
		}
		for name, want := range map[string]string{
			"EFI/BOOT/BOOTX64.EFI": numbers.String(), "efi/boot/bootx64.efi": numbers.String(), long: "title A\n",
			"Ünïcode näme.txt": "x", "empty": "", "loader/entries/ENTRY-NUMBER-40.conf": "40",
		} {
			if got, err := fs.ReadFile(f, name); err != nil || string(got) != want {
				t.Errorf("FAT%d: %s has %d bytes, %v; want %d", bits, name, len(got), err, len(want))
			}
		}
		if _, err := f.Open("gone"); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("FAT%d: a deleted file: %v", bits, err)
		}
		if err := fstest.TestFS(f, "EFI/BOOT/BOOTX64.EFI", long, "empty"); err != nil {
			t.Errorf("FAT%d: %v", bits, err)
		}
	}
}

// What is not FAT, or claims impossible sizes, is refused.
func TestRefused(t *testing.T) {
	good := image(t, 16)
	for _, test := range []struct {
		name   string
		change func(b []byte) []byte
	}{
		{"nothing", func([]byte) []byte { return nil }},
		{"zeros", func(b []byte) []byte { return make([]byte, len(b)) }},
		{"a sector size of 0", func(b []byte) []byte { b[11], b[12] = 0, 0; return b }},
		{"clusters of 0 sectors", func(b []byte) []byte { b[13] = 0; return b }},
		{"clusters of 128 KiB", func(b []byte) []byte { b[12], b[13] = 16, 64; return b }},
		{"no tables", func(b []byte) []byte { b[16] = 0; return b }},
		{"more clusters than the table has", func(b []byte) []byte {
			b[19], b[20] = 0, 0
			copy(b[32:], "\xff\xff\xff\x0f")
			return b
		}},
	} {
		if _, err := fat.Open(bytes.NewReader(test.change(bytes.Clone(good)))); !errors.Is(err, fat.ErrNotFAT) {
			t.Errorf("%s: %v", test.name, err)
		}
	}
}

// A chain of clusters that leads back to itself ends, with an error.
func TestLoop(t *testing.T) {
	for _, bits := range []int{12, 16, 32} {
		data := image(t, bits)
		reserved := int(data[14]) | int(data[15])<<8
		table := data[reserved*512:]
		for c := 2; c < 200; c++ { // each cluster is followed by cluster 2
			switch bits {
			case 12:
				i := c * 3 / 2
				if c%2 == 0 {
					table[i], table[i+1] = 2, table[i+1]&0xF0
				} else {
					table[i], table[i+1] = table[i]&0x0F|0x20, 0
				}
			case 16:
				table[2*c], table[2*c+1] = 2, 0
			case 32:
				table[4*c], table[4*c+1], table[4*c+2], table[4*c+3] = 2, 0, 0, 0
			}
		}
		f := open(t, data)
		walk(f)
	}
}

// walk reads everything, up to a limit.
func walk(f *fat.FS) {
	files := 0
	_ = fs.WalkDir(f, ".", func(name string, d fs.DirEntry, err error) error {
		if files++; files > 300 || strings.Count(name, "/") > 4 {
			return fs.SkipAll
		}
		if err != nil || d.IsDir() {
			return nil
		}
		h, err := f.Open(name)
		if err != nil {
			return nil
		}
		_, _ = io.Copy(io.Discard, io.LimitReader(h, 1<<20))
		return h.Close()
	})
}

// Damage leads to errors and no panic, and takes no longer than the image is
// large.
func FuzzFAT(f *testing.F) {
	images := map[uint8][]byte{0: image(f, 12), 1: image(f, 16), 2: image(f, 32)}
	f.Add(uint8(0), uint32(0), []byte{0xEB})
	f.Add(uint8(1), uint32(512), []byte{0xF8, 0xFF, 0xFF, 0xFF, 2, 0, 2, 0})
	f.Add(uint8(2), uint32(44), []byte{3, 0, 0, 0})
	f.Fuzz(func(t *testing.T, kind uint8, at uint32, change []byte) {
		base := images[kind%3]
		data := &patched{base: base, at: int64(at) % int64(len(base)), change: change}
		if file, err := fat.Open(data); err == nil {
			walk(file)
		}
	})
}

// patched is an image with other bytes in one place.
type patched struct {
	base   []byte
	at     int64
	change []byte
}

func (p *patched) ReadAt(b []byte, off int64) (int, error) {
	n, err := bytes.NewReader(p.base).ReadAt(b, off)
	for i, c := range p.change {
		if at := p.at + int64(i) - off; at >= 0 && at < int64(n) {
			b[at] = c
		}
	}
	return n, err
}
