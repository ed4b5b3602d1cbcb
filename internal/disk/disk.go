// Package disk finds the file systems of a disk image that boot programs read:
// FAT and ext4, in a GUID partition table or without one.
package disk

import (
	"errors"
	"io"
	"io/fs"

	"github.com/bootseal/bootseal/internal/ext4"
	"github.com/bootseal/bootseal/internal/fat"
	"github.com/bootseal/bootseal/internal/gpt"
)

// Disk is an image.
type Disk struct {
	Table   *gpt.Table // nil without one
	Volumes []Volume   // in the order of the partitions, the EFI system partition first
}

// Volume is a file system in the image.
type Volume struct {
	FS        fs.FS
	Kind      string // "fat" or "ext4"
	UUID      string // of the file system, as boot loaders search for it
	Label     string
	Number    uint32   // of the partition, 0 without a table
	Partition [16]byte // its UUID
}

// ErrNoVolume is returned for an image without a file system that can be read.
var ErrNoVolume = errors.New("no FAT or ext4 file system")

// espType is the type of an EFI system partition, c12a7328-f81f-11d2-ba4b-
// 00a0c93ec93b.
const espType = "\x28\x73\x2a\xc1\x1f\xf8\xd2\x11\xba\x4b\x00\xa0\xc9\x3e\xc9\x3b"

// Open reads an image of size bytes: of a disk, or of a file system alone.
// Partitions with other file systems, and such as cannot be read, are left out.
func Open(r io.ReaderAt, size int64) (*Disk, error) {
	table, err := gpt.Read(r)
	if errors.Is(err, gpt.ErrNone) {
		v, err := openVolume(io.NewSectionReader(r, 0, size))
		if err != nil {
			return nil, err
		}
		return &Disk{Volumes: []Volume{v}}, nil
	}
	if err != nil {
		return nil, err
	}
	d := &Disk{Table: table}
	for _, p := range table.Partitions {
		start, end := p.First*uint64(table.BlockSize), (p.Last+1)*uint64(table.BlockSize)
		if p.Last < p.First || p.Last > 1<<50 || end > uint64(size) {
			continue
		}
		v, err := openVolume(io.NewSectionReader(r, int64(start), int64(end-start)))
		if err != nil {
			continue
		}
		v.Number, v.Partition = p.Number, p.UUID
		if string(p.Type[:]) == espType {
			d.Volumes = append([]Volume{v}, d.Volumes...)
		} else {
			d.Volumes = append(d.Volumes, v)
		}
	}
	if len(d.Volumes) == 0 {
		return nil, ErrNoVolume
	}
	return d, nil
}

func openVolume(r *io.SectionReader) (Volume, error) {
	if f, err := fat.Open(r); err == nil {
		return Volume{FS: f, Kind: "fat", UUID: f.UUID(), Label: f.Label()}, nil
	}
	f, err := ext4.Open(r, r.Size())
	if err != nil {
		return Volume{}, ErrNoVolume
	}
	return Volume{FS: f, Kind: "ext4", UUID: f.UUID(), Label: f.Label()}, nil
}

// Boot returns what boot programs read of the volume: all of a boot partition,
// and of a whole system the one folder that Only names.
func (v Volume) Boot() fs.FS {
	if v.Only() == "" {
		return v.FS
	}
	return bootOnly{v.FS}
}

// Only returns "/boot" for a volume with a whole system, else "".
func (v Volume) Only() string {
	if info, err := fs.Stat(v.FS, "boot"); v.Kind == "fat" || err != nil || !info.IsDir() {
		return ""
	}
	return "/boot"
}

// bootOnly is a file system whose root has a folder boot and nothing else.
type bootOnly struct{ fs.FS }

func (b bootOnly) ReadDir(name string) ([]fs.DirEntry, error) {
	entries, err := fs.ReadDir(b.FS, name)
	if name != "." || err != nil {
		return entries, err
	}
	for _, e := range entries {
		if e.Name() == "boot" {
			return []fs.DirEntry{e}, nil
		}
	}
	return nil, nil
}
