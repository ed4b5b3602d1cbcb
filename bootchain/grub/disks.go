package grub

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"
)

// Disks is a World of file systems that are at hand, in GRUB's order of devices:
// each disk is followed by its partitions.
type Disks []Disk

// Disk is a device with its file system.
type Disk struct {
	Name string // "hd0,gpt1"
	Device
	PartLabel, DiskUUID string // for Flatcar's searches
	// Files is the file system; nil if it has none that GRUB reads. A ReadFile that
	// answers [ErrUnknown] is fine, as is a Stat that does.
	Files fs.FS
	// FoldCase: names are found in any case, as on FAT.
	FoldCase bool
	// Ordered: Files lists folders in the file system's own order.
	Ordered bool
}

func (d Disks) find(name string) (*Disk, error) {
	for i := range d {
		if d[i].Name == name {
			return &d[i], nil
		}
	}
	return nil, fmt.Errorf("device %s: %w", name, fs.ErrNotExist)
}

// Device implements [World].
func (d Disks) Device(name string) (Device, error) {
	disk, err := d.find(name)
	if err != nil {
		return Device{}, err
	}
	return disk.Device, nil
}

// Search implements [World].
func (d Disks) Search(q Query) (string, error) {
	var names []string
	for _, h := range q.Hints {
		if disk, sub := strings.CutSuffix(h, ","); sub {
			names = append(names, disk)
			for i := range d {
				if strings.HasPrefix(d[i].Name, h) {
					names = append(names, d[i].Name)
				}
			}
			continue
		}
		names = append(names, h)
	}
	for i := range d {
		names = append(names, d[i].Name)
	}
	rootDisk, _, _ := strings.Cut(q.Root, ",")
	for _, name := range names {
		disk, err := d.find(name)
		if err != nil || q.NoFloppy && isFloppy(name) {
			continue
		}
		if on, _, _ := strings.Cut(name, ","); q.RootDiskOnly && on != rootDisk {
			continue
		}
		is, err := disk.matches(q)
		if err != nil {
			return "", err
		}
		if is {
			return name, nil
		}
	}
	return "", fmt.Errorf("search for %s: %w", q, fs.ErrNotExist)
}

func isFloppy(name string) bool {
	return len(name) > 2 && strings.HasPrefix(name, "fd") && digit(name[2])
}

func (d *Disk) matches(q Query) (bool, error) {
	switch q.By {
	case ByFSUUID:
		return d.FSUUID != "" && strings.EqualFold(d.FSUUID, q.Key), nil
	case ByLabel:
		return d.Files != nil && d.Label == q.Key, nil
	case ByPartUUID:
		return d.PartUUID != "" && strings.EqualFold(d.PartUUID, q.Key), nil
	case ByPartLabel:
		return d.PartLabel != "" && d.PartLabel == q.Key, nil
	case ByDiskUUID:
		return d.DiskUUID != "" && strings.EqualFold(d.DiskUUID, q.Key), nil
	}
	info, err := d.stat(q.Key)
	if notThere(err) {
		return false, nil
	}
	return err == nil && !info.Dir, err
}

// Stat implements [World].
func (d Disks) Stat(f File) (Info, error) {
	disk, err := d.find(f.Device)
	if err != nil {
		return Info{}, err
	}
	return disk.stat(f.Path)
}

func (d *Disk) stat(p string) (Info, error) {
	name, err := d.name(p)
	if err != nil {
		return Info{}, err
	}
	info, err := fs.Stat(d.Files, name)
	if err != nil {
		return Info{}, err
	}
	return Info{Name: info.Name(), Dir: info.IsDir(), Size: info.Size(), Mtime: info.ModTime()}, nil
}

// ReadDir implements [World].
func (d Disks) ReadDir(dir File) (list []Info, ordered bool, err error) {
	disk, err := d.find(dir.Device)
	if err != nil {
		return nil, false, err
	}
	name, err := disk.name(dir.Path)
	if err != nil {
		return nil, false, err
	}
	f, err := disk.Files.Open(name)
	if err != nil {
		return nil, false, err
	}
	defer f.Close()
	folder, isFolder := f.(fs.ReadDirFile)
	if !isFolder {
		return nil, false, fmt.Errorf("list %s: %w", dir, fs.ErrNotExist)
	}
	entries, err := folder.ReadDir(-1) // in the order of the file system, not sorted
	if err != nil {
		return nil, false, err
	}
	for _, e := range entries {
		list = append(list, Info{Name: e.Name(), Dir: e.IsDir()})
	}
	return list, disk.Ordered, nil
}

// ReadFile implements [World].
func (d Disks) ReadFile(f File) ([]byte, error) {
	disk, err := d.find(f.Device)
	if err != nil {
		return nil, err
	}
	name, err := disk.name(f.Path)
	if err != nil {
		return nil, err
	}
	return fs.ReadFile(disk.Files, name)
}

// name turns GRUB's path into one of an fs.FS, in the case that the files have.
func (d *Disk) name(p string) (string, error) {
	name := strings.Trim(path.Clean("/"+p), "/")
	if name == "" {
		name = "."
	}
	switch {
	case d.Files == nil:
		return "", fmt.Errorf("%s has no file system: %w", d.Name, fs.ErrNotExist)
	case !fs.ValidPath(name):
		return "", fmt.Errorf("path %q: %w", p, fs.ErrNotExist)
	case !d.FoldCase:
		return name, nil
	}
	if _, err := fs.Stat(d.Files, name); err == nil || !errors.Is(err, fs.ErrNotExist) {
		return name, nil
	}
	found := "."
	for part := range strings.SplitSeq(name, "/") {
		entries, err := fs.ReadDir(d.Files, found)
		if err != nil {
			return "", err
		}
		match := ""
		for _, e := range entries {
			if strings.EqualFold(e.Name(), part) {
				match = e.Name()
				break
			}
		}
		if match == "" {
			return "", fmt.Errorf("path %q: %w", p, fs.ErrNotExist)
		}
		found = path.Join(found, match)
	}
	return found, nil
}
