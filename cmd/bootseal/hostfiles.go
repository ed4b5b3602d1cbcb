package main

import (
	"bufio"
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/bootseal/bootseal/bootchain"
	"github.com/bootseal/bootseal/internal/gpt"
	"github.com/bootseal/bootseal/pcr"
)

// runningMounts is where Linux lists what is mounted (proc(5)).
const runningMounts = "/proc/self/mountinfo"

// mount is a mounted file system.
type mount struct{ kind, device, root, point string }

// hostFiles measures what this machine boots from: the EFI system partition, and
// the file system that has /boot.
func hostFiles(banks []pcr.Bank, progress func(string)) (bootchain.Manifest, *gpt.Table, error) {
	mounts, err := readMounts(runningMounts)
	if err != nil {
		return bootchain.Manifest{}, nil, fmt.Errorf("find the boot partitions: %w", err)
	}
	esp := findESP(mounts)
	if esp == "" {
		return bootchain.Manifest{}, nil, errors.New("no EFI system partition is mounted at /boot/efi, /efi or /boot: name it with --esp")
	}
	var m bootchain.Manifest
	folders := []string{esp}
	if info, err := os.Stat("/boot"); esp != "/boot" && err == nil && info.IsDir() {
		folders = append(folders, "/boot")
	}
	for _, dir := range folders {
		v, err := hostVolume(dir, mounts, banks, progress)
		if err != nil {
			return m, nil, fmt.Errorf("%s: %w", dir, err)
		}
		m.Volumes = append(m.Volumes, v)
	}
	return m, hostTable(mounts, esp), nil
}

// findESP returns where the EFI system partition is mounted, "" if it is not.
func findESP(mounts []mount) string {
	for _, point := range []string{"/boot/efi", "/efi", "/boot"} {
		if _, ok := mountedAt(mounts, point); !ok {
			continue
		}
		for _, name := range []string{"EFI", "efi"} {
			if info, err := os.Stat(filepath.Join(point, name)); err == nil && info.IsDir() {
				return point
			}
		}
	}
	return ""
}

// expectFolder returns the root of the volume that has the file of package expect: the
// EFI system partition, or /boot where there is none.
func expectFolder() string {
	mounts, err := readMounts(runningMounts)
	if err != nil {
		return "/boot"
	}
	return cmp.Or(findESP(mounts), "/boot")
}

func readMounts(path string) ([]mount, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var out []mount
	for lines := bufio.NewScanner(f); lines.Scan(); {
		// proc(5): "36 35 98:0 /root /point options - type device options"
		before, after, ok := strings.Cut(lines.Text(), " - ")
		left, right := strings.Fields(before), strings.Fields(after)
		if ok && len(left) >= 5 && len(right) >= 2 {
			out = append(out, mount{kind: right[0], device: unescape(right[1]), root: unescape(left[3]), point: unescape(left[4])})
		}
	}
	return out, nil
}

// unescape replaces \040 and the like.
func unescape(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+3 < len(s) {
			if n, err := strconv.ParseUint(s[i+1:i+4], 8, 8); err == nil {
				b.WriteByte(byte(n))
				i += 3
				continue
			}
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

// mountedAt returns what is mounted at a place, the last if several are.
func mountedAt(mounts []mount, point string) (mount, bool) {
	var out mount
	for _, m := range mounts {
		if m.point == point && strings.HasPrefix(m.device, "/") {
			out = m
		}
	}
	return out, out.point != ""
}

// hostVolume measures a folder with the paths that it has in its file system.
func hostVolume(dir string, mounts []mount, banks []pcr.Bank, progress func(string)) (bootchain.Volume, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return bootchain.Volume{}, err
	}
	defer root.Close()
	m, prefix := mountOf(mounts, dir)
	v, err := bootchain.Measure(inside{root.FS(), dir, mounts, prefix}, banks, progress)
	if err != nil {
		return v, err
	}
	if v.FS = m.kind; m.kind == "vfat" {
		v.FS = "fat"
	}
	if prefix != "" {
		v.Only = "/" + prefix
	}
	v.UUID = deviceLink("/dev/disk/by-uuid", m.device)
	v.Label = deviceLink("/dev/disk/by-label", m.device)
	v.Partition = strings.ToLower(deviceLink("/dev/disk/by-partuuid", m.device))
	if n, err := os.ReadFile(filepath.Join("/sys/class/block", filepath.Base(realPath(m.device)), "partition")); err == nil {
		number, _ := strconv.ParseUint(strings.TrimSpace(string(n)), 10, 32)
		v.Number = uint32(number)
	}
	return v, nil
}

// mountOf returns the file system that a folder is in, and the folder's path there.
func mountOf(mounts []mount, dir string) (mount, string) {
	for at := dir; ; at = filepath.Dir(at) {
		if m, ok := mountedAt(mounts, at); ok {
			rest := strings.TrimPrefix(dir, at)
			return m, strings.Trim(filepath.Join(m.root, rest), "/")
		}
		if at == "/" {
			return mount{}, strings.Trim(dir, "/")
		}
	}
}

// inside is a folder seen from the root of its file system, without what is
// mounted in it.
type inside struct {
	files  fs.FS
	dir    string
	mounts []mount
	prefix string // "" if the folder is the root
}

// below returns the path in the folder; up means that name is above it.
func (i inside) below(name string) (path string, up, ok bool) {
	if i.prefix == "" || name == i.prefix {
		return orDot(strings.TrimPrefix(name, i.prefix)), false, true
	}
	if name == "." || strings.HasPrefix(i.prefix, name+"/") {
		return "", true, true
	}
	rest, ok := strings.CutPrefix(name, i.prefix+"/")
	return rest, false, ok
}

func orDot(s string) string {
	if s == "" {
		return "."
	}
	return s
}

func (i inside) Open(name string) (fs.File, error) {
	path, up, ok := i.below(name)
	if !ok {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	}
	if up {
		return i.files.Open(".")
	}
	return i.files.Open(path)
}

func (i inside) ReadDir(name string) ([]fs.DirEntry, error) {
	path, up, ok := i.below(name)
	if !ok {
		return nil, &fs.PathError{Op: "readdir", Path: name, Err: fs.ErrNotExist}
	}
	if up {
		rest := strings.TrimPrefix(strings.TrimPrefix(i.prefix, orEmpty(name)), "/")
		first, _, _ := strings.Cut(rest, "/")
		info, err := fs.Stat(i.files, ".")
		if err != nil {
			return nil, err
		}
		return []fs.DirEntry{named{fs.FileInfoToDirEntry(info), first}}, nil
	}
	entries, err := fs.ReadDir(i.files, path)
	var out []fs.DirEntry
	for _, e := range entries {
		if _, mounted := mountedAt(i.mounts, filepath.Join(i.dir, path, e.Name())); !mounted {
			out = append(out, e)
		}
	}
	return out, err
}

func orEmpty(s string) string {
	if s == "." {
		return ""
	}
	return s
}

// named is an entry with another name.
type named struct {
	fs.DirEntry
	name string
}

func (n named) Name() string { return n.name }

// deviceLink returns the name under which udev links to a device, "" if none.
func deviceLink(dir, device string) string {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return ""
	}
	for _, e := range entries {
		if realPath(filepath.Join(dir, e.Name())) == realPath(device) {
			return e.Name()
		}
	}
	return ""
}

func realPath(path string) string {
	if p, err := filepath.EvalSymlinks(path); err == nil {
		return p
	}
	return path
}

// hostTable reads the partition table of the disk with the EFI system partition,
// nil if that is not allowed: it is in the log, too.
func hostTable(mounts []mount, esp string) *gpt.Table {
	m, _ := mountedAt(mounts, esp)
	name := filepath.Base(realPath(m.device))
	parent, err := filepath.EvalSymlinks(filepath.Join("/sys/class/block", name))
	if err != nil {
		return nil
	}
	f, err := os.Open(filepath.Join("/dev", filepath.Base(filepath.Dir(parent))))
	if err != nil {
		return nil
	}
	defer f.Close()
	t, err := gpt.Read(f)
	if err != nil {
		return nil
	}
	return t
}
