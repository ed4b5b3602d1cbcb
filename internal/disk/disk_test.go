package disk_test

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"testing"

	"github.com/bootseal/bootseal/internal/disk"
	"github.com/bootseal/bootseal/internal/gztest"
)

func image(t testing.TB) []byte {
	t.Helper()
	return gztest.Read(t, "testdata/disk.img.gz")
}

// An image has its volumes with what boot loaders search them by, the EFI system
// partition first. Of a whole system, only /boot is read.
func TestDisk(t *testing.T) {
	data := image(t)
	d, err := disk.Open(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		t.Fatal(err)
	}
	if d.Table == nil || len(d.Volumes) != 2 {
		t.Fatalf("%d volumes, table %v", len(d.Volumes), d.Table)
	}
	esp, root := d.Volumes[0], d.Volumes[1]
	if esp.Kind != "fat" || esp.UUID != "CAFE-0001" || esp.Label != "ESP" || esp.Number != 1 || esp.Partition[0] != 0x11 {
		t.Errorf("the EFI system partition is %+v", esp)
	}
	if root.Kind != "ext4" || root.UUID != "12345678-1234-4321-8765-123456789abc" || root.Label != "root" || root.Number != 2 {
		t.Errorf("the other partition is %s %s %s %d", root.Kind, root.UUID, root.Label, root.Number)
	}
	for _, test := range []struct {
		fs         fs.FS
		name, want string
	}{
		{esp.Boot(), "EFI/debian/grub.cfg", "search.fs_uuid\n"},
		{root.Boot(), "boot/grub/grub.cfg", "menuentry A\n"},
	} {
		if got, err := fs.ReadFile(test.fs, test.name); err != nil || string(got) != test.want {
			t.Errorf("%s: %q, %v", test.name, got, err)
		}
	}
	var names []string
	err = fs.WalkDir(root.Boot(), ".", func(name string, d fs.DirEntry, err error) error {
		names = append(names, name)
		return err
	})
	if err != nil || len(names) != 5 {
		t.Errorf("the walk finds %q, %v; want the root, boot and what is in it", names, err)
	}
	if _, err := disk.Open(bytes.NewReader(data[:600]), 600); err == nil {
		t.Error("600 bytes are a disk")
	}
	if _, err := disk.Open(bytes.NewReader(make([]byte, 4096)), 4096); !errors.Is(err, disk.ErrNoVolume) {
		t.Errorf("zeros: %v", err)
	}
}

// An image of a file system without a partition table is a volume.
func TestFileSystemAlone(t *testing.T) {
	data := image(t)[1<<20 : 4<<20]
	d, err := disk.Open(bytes.NewReader(data), int64(len(data)))
	if err != nil || d.Table != nil || len(d.Volumes) != 1 || d.Volumes[0].UUID != "CAFE-0001" {
		t.Errorf("%+v, %v", d, err)
	}
}

// Damage leads to errors and no panic, in the table and in both file systems.
func FuzzDisk(f *testing.F) {
	base := image(f)
	f.Add(uint32(512+16), []byte{0})
	f.Add(uint32(1<<20+13), []byte{0xff})
	f.Add(uint32(4<<20+1024+24), []byte{0xff, 0xff})
	f.Fuzz(func(t *testing.T, at uint32, change []byte) {
		data := bytes.Clone(base)
		copy(data[int(at)%len(data):], change)
		d, err := disk.Open(bytes.NewReader(data), int64(len(data)))
		if err != nil {
			return
		}
		for _, v := range d.Volumes {
			files := 0
			_ = fs.WalkDir(v.Boot(), ".", func(name string, e fs.DirEntry, err error) error {
				if files++; files > 200 {
					return fs.SkipAll
				}
				if err != nil || e.IsDir() {
					return nil
				}
				if h, err := v.FS.Open(name); err == nil {
					_, _ = io.Copy(io.Discard, io.LimitReader(h, 1<<20))
					_ = h.Close()
				}
				return nil
			})
		}
	})
}
