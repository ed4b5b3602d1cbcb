package lab

import (
	"bytes"
	"compress/gzip"
	"context"
	_ "embed" // the guest's init
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

//go:embed guest/init
var guestInit []byte

// busybox is where busybox-static has it.
const busybox = "/bin/busybox"

// Initrd returns an initial ramdisk that reports what was measured, for the kernel of the
// package, whose efivarfs it has.
func Initrd(ctx context.Context, kernel Package) ([]byte, error) {
	shell, err := os.ReadFile(busybox)
	if err != nil {
		return nil, fmt.Errorf("the guest's shell (install busybox-static): %w", err)
	}
	module, err := moduleOf(ctx, kernel, "efivarfs.ko")
	if err != nil {
		return nil, err
	}
	chattr, err := withLibraries(ctx, "/usr/bin/chattr")
	if err != nil {
		return nil, err
	}
	return Archive(append([]ArchiveFile{
		{"init", guestInit, 0o755},
		{"bin/busybox", shell, 0o755},
		{"efivarfs.ko", module, 0o644},
	}, chattr...))
}

var library = regexp.MustCompile(`(/\S+) \(0x`)

// withLibraries returns a program of this machine, and what it is linked with. Debian's busybox
// has no chattr, without which efivarfs lets nobody write dbx.
func withLibraries(ctx context.Context, program string) ([]ArchiveFile, error) {
	linked, err := run(ctx, "ldd", program)
	if err != nil {
		return nil, err
	}
	var out []ArchiveFile
	for _, m := range append([][]string{{"", program}}, library.FindAllStringSubmatch(linked, -1)...) {
		data, err := os.ReadFile(m[1])
		if err != nil {
			return nil, err
		}
		out = append(out, ArchiveFile{strings.TrimPrefix(m[1], "/"), data, 0o755})
	}
	return out, nil
}

// moduleOf returns a kernel module of a package, unpacked.
func moduleOf(ctx context.Context, kernel Package, name string) ([]byte, error) {
	var found string
	err := filepath.WalkDir(kernel.Root, func(p string, d fs.DirEntry, err error) error {
		if err == nil && strings.TrimSuffix(d.Name(), ".xz") == name {
			found = p
			return fs.SkipAll
		}
		return err
	})
	switch {
	case err != nil:
		return nil, err
	case found == "":
		return nil, fmt.Errorf("%s has no module %s", kernel.Name, name)
	case strings.HasSuffix(found, ".xz"):
		data, err := output(ctx, "xz", "-dc", found)
		return []byte(data), err
	}
	return os.ReadFile(found)
}

// ArchiveFile is a file of an initial ramdisk.
type ArchiveFile struct {
	Name string // without a leading slash
	Data []byte
	Mode uint32 // permissions
}

// Archive packs files as an initial ramdisk: cpio in its "newc" format (Linux,
// Documentation/driver-api/early-userspace/buffer-format), with gzip. The same files make the
// same bytes.
func Archive(files []ArchiveFile) ([]byte, error) {
	var out bytes.Buffer
	z := gzip.NewWriter(&out)
	var cpio bytes.Buffer
	number := 0
	add := func(name string, mode uint32, data []byte) {
		number++
		fmt.Fprintf(&cpio, "070701%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%s\x00",
			number, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(name)+1, 0, name)
		pad(&cpio)
		cpio.Write(data)
		pad(&cpio)
	}
	made := make(map[string]bool)
	for _, f := range files {
		for i := range f.Name {
			if folder := f.Name[:i]; strings.HasPrefix(f.Name[i:], "/") && !made[folder] {
				made[folder] = true
				add(folder, 0o40755, nil)
			}
		}
		add(f.Name, 0o100000|f.Mode, f.Data)
	}
	add("TRAILER!!!", 0, nil)
	if _, err := z.Write(cpio.Bytes()); err != nil {
		return nil, err
	}
	err := z.Close()
	return out.Bytes(), err
}

func pad(b *bytes.Buffer) {
	for b.Len()%4 != 0 {
		b.WriteByte(0)
	}
}
