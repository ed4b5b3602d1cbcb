package ext4_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/bootseal/bootseal/internal/ext4"
	"github.com/bootseal/bootseal/internal/gztest"
)

func kinds() []string { return []string{"ext2", "ext4", "inline"} }

func image(t testing.TB, kind string) []byte {
	t.Helper()
	return gztest.Read(t, "testdata/"+kind+".img.gz")
}

// Maps of blocks, extents and inline data hold what other tools wrote into them.
func TestKinds(t *testing.T) {
	var lines strings.Builder
	for i := 1; i <= 60000; i++ {
		fmt.Fprintln(&lines, i/50)
	}
	for _, kind := range kinds() {
		data := image(t, kind)
		f, err := ext4.Open(bytes.NewReader(data), int64(len(data)))
		if err != nil {
			t.Fatalf("%s: %v", kind, err)
		}
		if f.UUID() != "12345678-1234-4321-8765-123456789abc" || f.Label() != "boot" {
			t.Errorf("%s: %s, %q", kind, f.UUID(), f.Label())
		}
		for name, want := range map[string]string{
			"boot/vmlinuz": lines.String(), "vmlinuz": lines.String(), "boot/grub/grub.cfg": "menuentry A\n",
			"boot/link": "menuentry A\n", "empty": "", "hole": string(make([]byte, 100<<10)) + "end",
			"boot/many/entry-with-a-long-name-number-300.conf": "300\n",
		} {
			if got, err := fs.ReadFile(f, name); err != nil || string(got) != want {
				t.Errorf("%s: %s has %d bytes, %v; want %d", kind, name, len(got), err, len(want))
			}
		}
		if list, err := f.ReadDir("boot/many"); err != nil || len(list) != 300 {
			t.Errorf("%s: %d entries, %v; want 300", kind, len(list), err)
		}
		for name, want := range map[string]string{"boot/out": "not exist", "loop": "too many links", "boot/nothing": "not exist"} {
			if _, err := f.Open(name); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %s: %v, want %q", kind, name, err, want)
			}
		}
	}
}

// The file system is one as package fs wants it, without links to nowhere.
func TestFS(t *testing.T) {
	data := image(t, "ext4")
	f, err := ext4.Open(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		t.Fatal(err)
	}
	grub, err := fs.Sub(f, "boot/grub")
	if err != nil {
		t.Fatal(err)
	}
	if err := fstest.TestFS(grub, "grub.cfg"); err != nil {
		t.Error(err)
	}
}

func TestRefused(t *testing.T) {
	good := image(t, "ext4")
	for _, test := range []struct {
		name   string
		change func(b []byte)
		want   string
	}{
		{"zeros", func(b []byte) { clear(b) }, "not an ext2"},
		{"blocks of 2^200 KiB", func(b []byte) { b[1024+24] = 200 }, "2^200"},
		{"no inodes in a group", func(b []byte) { clear(b[1024+40 : 1024+44]) }, "0 inodes a group"},
		{"a feature of the future", func(b []byte) { b[1024+99] = 0x80 }, "0x80000000 are not understood"},
	} {
		data := bytes.Clone(good)
		test.change(data)
		if _, err := ext4.Open(bytes.NewReader(data), int64(len(data))); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v, want %q", test.name, err, test.want)
		}
	}
	if _, err := ext4.Open(bytes.NewReader(nil), 0); !errors.Is(err, ext4.ErrNotExt) {
		t.Error(err)
	}
}

// Damage leads to errors and no panic.
func FuzzExt4(f *testing.F) {
	images := map[uint8][]byte{}
	for i, kind := range kinds() {
		images[uint8(i)] = image(f, kind)
	}
	f.Add(uint8(0), uint32(1024+24), []byte{1})
	f.Add(uint8(1), uint32(4096+8), []byte{0xff, 0xff})
	f.Add(uint8(2), uint32(0x5000), []byte{0x0a, 0xf3, 4, 0, 4, 0, 1, 0})
	f.Fuzz(func(t *testing.T, kind uint8, at uint32, change []byte) {
		data := bytes.Clone(images[kind%3])
		copy(data[int(at)%len(data):], change)
		file, err := ext4.Open(bytes.NewReader(data), int64(len(data)))
		if err != nil {
			return
		}
		files := 0
		_ = fs.WalkDir(file, ".", func(name string, d fs.DirEntry, err error) error {
			if files++; files > 40 || strings.Count(name, "/") > 6 {
				return fs.SkipAll
			}
			if err != nil || d.IsDir() {
				return nil
			}
			h, err := file.Open(name)
			if err != nil {
				return nil
			}
			_, _ = io.Copy(io.Discard, io.LimitReader(h, 1<<20))
			return h.Close()
		})
	})
}
