package main

import (
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"testing/fstest"
)

// A folder is seen with the paths that it has in its file system, and without
// what is mounted in it.
func TestInside(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"grub/grub.cfg", "efi/EFI/BOOT/BOOTX64.EFI", "vmlinuz"} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(name), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	mounts := []mount{{device: "/dev/sda1", point: filepath.Join(dir, "efi")}, {kind: "ext4", device: "/dev/sda2", root: "/", point: filepath.Dir(dir)}}
	m, prefix := mountOf(mounts, dir)
	if m.device != "/dev/sda2" || prefix != filepath.Base(dir) {
		t.Fatalf("%s is in %q of %s", dir, prefix, m.device)
	}
	files := inside{os.DirFS(dir), dir, mounts, prefix}
	var names []string
	err := fs.WalkDir(files, ".", func(name string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			names = append(names, name)
		}
		return err
	})
	want := []string{prefix + "/grub/grub.cfg", prefix + "/vmlinuz"}
	if err != nil || !slices.Equal(names, want) {
		t.Errorf("the walk finds %q, %v; want %q", names, err, want)
	}
	if got, err := fs.ReadFile(files, prefix+"/grub/grub.cfg"); err != nil || string(got) != "grub/grub.cfg" {
		t.Errorf("%q, %v", got, err)
	}
	if _, err := files.Open("other"); err == nil {
		t.Error("a file outside is there")
	}
	if err := fstest.TestFS(inside{os.DirFS(dir), dir, nil, ""}, "vmlinuz"); err != nil {
		t.Error(err)
	}
}

// The kernel's list of mounts is read with its escapes.
func TestReadMounts(t *testing.T) {
	path := filepath.Join(t.TempDir(), "mountinfo")
	text := "36 35 8:1 / /boot/efi rw - vfat /dev/sda1 rw\n37 35 8:2 /sub\\040volume /mnt\\040x rw shared:1 - btrfs /dev/sda2 rw\nnonsense\n"
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	got, err := readMounts(path)
	want := []mount{{"vfat", "/dev/sda1", "/", "/boot/efi"}, {"btrfs", "/dev/sda2", "/sub volume", "/mnt x"}}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("%+v, %v; want %+v", got, err, want)
	}
}
