package unlock_test

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/bootseal/bootseal/internal/boots"
	"github.com/bootseal/bootseal/internal/gztest"
	"github.com/bootseal/bootseal/node/expect"
	"github.com/bootseal/bootseal/node/unlock"
)

// expectedUUID is the volume that testdata's boot partitions know.
const expectedUUID = "0a1b2c3d-1111-4222-8333-444455556666"

func partition(t testing.TB, name string) []byte {
	t.Helper()
	return gztest.Read(t, "testdata/"+name+".gz")
}

// host makes the /dev and /sys of a machine with block devices. A name with a slash is
// a partition of a disk: "vda/vda1".
func host(t testing.TB, devices map[string][]byte) string {
	t.Helper()
	dir := t.TempDir()
	for name, data := range devices {
		disk, part := filepath.Split(name)
		for path, data := range map[string][]byte{
			filepath.Join("sys/class/block", part, "size"): nil,
			filepath.Join("dev", part):                     data,
		} {
			write(t, filepath.Join(dir, path), data)
		}
		if disk != "" {
			write(t, filepath.Join(dir, "sys/class/block", part, "partition"), []byte("1\n"))
			write(t, filepath.Join(dir, "sys/class/block", disk, part, "partition"), []byte("1\n"))
			write(t, filepath.Join(dir, "dev", disk), nil)
		}
	}
	return dir
}

func write(t testing.TB, path string, data []byte) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestExpectedEventsAreFoundWithoutMounting(t *testing.T) {
	esp, ext := partition(t, "esp.img"), partition(t, "boot.img")
	damaged := bytes.Clone(esp)
	at := bytes.Index(damaged, []byte{0x1F, 0x8B, 8}) // where the file begins
	copy(damaged[at+1000:], make([]byte, 500))
	for _, c := range []struct {
		name    string
		devices map[string][]byte
		boots   int
		says    string
	}{
		{"an EFI system partition", map[string][]byte{"vda/vda1": esp, "vda/vda2": []byte("LUKS\xba\xbe")}, 2, ""},
		{"a system with /boot in it", map[string][]byte{"sda/sda1": ext}, 2, ""},
		{"a disk without partitions", map[string][]byte{"sda": ext}, 2, ""},
		{"mirrored disks", map[string][]byte{"sda/sda1": esp, "sdb/sdb1": esp}, 4, ""},
		{"one of them damaged", map[string][]byte{"sda/sda1": damaged, "sdb/sdb1": esp}, 2, ""},
		{"damaged", map[string][]byte{"sda/sda1": damaged}, 0, "sda1: read what was expected of boots"},
		{"none", map[string][]byte{"sda/sda1": make([]byte, 1<<20), "sda/sda2": nil}, 0, "on any boot partition"},
		{"what a machine does not boot from", map[string][]byte{"dm-0": esp, "loop0": esp, "sr0": esp}, 0, "on any boot partition"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := unlock.FindExpected(t.Context(), host(t, c.devices), expectedUUID)
			if len(got) != c.boots || (err == nil) != (c.says == "") || err != nil && !strings.Contains(err.Error(), c.says) {
				t.Errorf("%d boots, %v: want %d, %q", len(got), err, c.boots, c.says)
			}
		})
	}
	if _, err := unlock.FindExpected(t.Context(), host(t, map[string][]byte{"sda": esp}), "11111111-1111-4222-8333-444455556666"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("another volume's: %v", err)
	}
	if _, err := unlock.FindExpected(t.Context(), t.TempDir(), "../../etc/passwd"); err == nil || errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a path for a UUID: %v", err)
	}
}

// The whole way: from the boot partition to the event on the console.
func TestTheBootPartitionNamesTheEvent(t *testing.T) {
	m := newMachine(t)
	m.check(exec.CommandContext(t.Context(), m.tool.Path, "luksUUID", "--batch-mode", "--uuid", expectedUUID, m.volume.Path()).Run())
	upgraded := recorded(t, boots.Upgraded).Log
	m.enroll("Debian, kernel 6.1.0-56", upgraded)
	tampered, _ := changed(t, upgraded, 9, "initrd")
	m.boot(tampered)
	dir := host(t, map[string][]byte{"vda/vda1": partition(t, "esp.img")})
	m.options = func(o *unlock.Options) {
		o.Evidence.Expected = func(ctx context.Context, uuid string) ([]expect.Boot, error) {
			return unlock.FindExpected(ctx, dir, uuid)
		}
	}
	if _, err := m.unlock(); !errors.Is(err, unlock.ErrClosed) {
		t.Error(err)
	}
	m.says("PCR 9 differs at event", "/initrd.img-6.1.0-56")
}

// A file system of somebody else's making ends in an error, whatever it is.
func FuzzExpectedEvents(f *testing.F) {
	esp, ext := partition(f, "esp.img"), partition(f, "boot.img")
	f.Add(esp[:64<<10], uint32(0), byte(0))
	f.Add(ext[:64<<10], uint32(1024), byte(1))
	f.Fuzz(func(t *testing.T, image []byte, at uint32, with byte) {
		if len(image) > 1<<18 {
			return
		}
		if len(image) > 0 {
			image[int(at)%len(image)] = with
		}
		_, _ = unlock.FindExpected(t.Context(), host(t, map[string][]byte{"sda": image}), expectedUUID)
	})
}
