// Package fat reads FAT file systems, read-only: FAT12, FAT16 and FAT32 with long
// names, as UEFI demands of a system partition (UEFI specification, "File System
// Format"; Microsoft, "FAT32 File System Specification").
//
//	Open          checks the boot sector
//	FS            an io/fs file system; names match in any case
//	FS.UUID       the serial number as boot loaders write it: "CAFE-0001"
//
// Images are hostile: nothing is allocated by what they claim, a chain of
// clusters is followed no further than the volume is large, and a folder has a
// bounded number of entries.
package fat

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"strings"

	"github.com/bootseal/bootseal/internal/folder"
)

// ErrNotFAT is returned for something that is no FAT file system.
var ErrNotFAT = errors.New("not a FAT file system")

const (
	sectorMagicAt = 510
	maxCluster    = 64 << 10 // bytes; the specification allows 32 KiB
	maxFolder     = 2 << 20  // bytes of a folder: 65536 entries
	entrySize     = 32
)

// FS is a FAT file system. Its methods can be called at the same time.
type FS struct {
	r           io.ReaderAt
	bits        int // of a cluster number: 12, 16 or 32
	clusterSize int64
	clusters    uint32 // number of data clusters
	fatAt       int64
	fatSize     int64
	dataAt      int64
	rootAt      int64 // FAT12 and FAT16: the root folder's place and size
	rootSize    int64
	rootCluster uint32 // FAT32
	serial      uint32
	label       string
}

// Open reads the boot sector of a file system that begins at the start of r.
func Open(r io.ReaderAt) (*FS, error) {
	b := make([]byte, 512)
	if n, err := r.ReadAt(b, 0); n < len(b) {
		return nil, fmt.Errorf("%w: %v", ErrNotFAT, err)
	}
	le := binary.LittleEndian
	sector := int64(le.Uint16(b[11:]))
	f := &FS{r: r, clusterSize: sector * int64(b[13])}
	reserved, fats, rootEntries := int64(le.Uint16(b[14:])), int64(b[16]), int64(le.Uint16(b[17:]))
	total, fatSectors := int64(le.Uint16(b[19:])), int64(le.Uint16(b[22:]))
	if total == 0 {
		total = int64(le.Uint32(b[32:]))
	}
	wide := fatSectors == 0
	if wide {
		fatSectors = int64(le.Uint32(b[36:]))
	}
	powerOfTwo := func(n int64) bool { return n > 0 && n&(n-1) == 0 }
	if le.Uint16(b[sectorMagicAt:]) != 0xAA55 || !powerOfTwo(sector) || sector < 512 || sector > 4096 ||
		!powerOfTwo(int64(b[13])) || f.clusterSize > maxCluster || reserved == 0 || fats == 0 || fats > 2 || fatSectors == 0 {
		return nil, ErrNotFAT
	}
	f.fatAt, f.fatSize = reserved*sector, fatSectors*sector
	f.rootAt = f.fatAt + fats*f.fatSize
	f.rootSize = rootEntries * entrySize
	f.dataAt = f.rootAt + (f.rootSize+sector-1)/sector*sector
	count := (total*sector - f.dataAt) / f.clusterSize
	if count <= 0 || count > 0x0FFFFFF5 {
		return nil, fmt.Errorf("%w: %d clusters", ErrNotFAT, count)
	}
	f.clusters = uint32(count)
	f.setType(wide, b)
	if int64(f.clusters+2)*int64(f.bits) > f.fatSize*8 {
		return nil, fmt.Errorf("%w: a table of %d bytes for %d clusters", ErrNotFAT, f.fatSize, f.clusters)
	}
	return f, nil
}

// setType tells the three kinds apart: by the number of clusters, and nothing
// else counts, except that FAT32 alone has a root folder in clusters.
func (f *FS) setType(wide bool, b []byte) {
	le := binary.LittleEndian
	ext := b[36:]
	switch {
	case wide:
		f.bits, f.rootCluster, ext = 32, le.Uint32(b[44:]), b[64:]
	case f.clusters < 4085:
		f.bits = 12
	default:
		f.bits = 16
	}
	if ext[2] == 0x28 || ext[2] == 0x29 {
		f.serial = le.Uint32(ext[3:])
	}
	if ext[2] == 0x29 {
		f.label = strings.TrimRight(string(ext[7:18]), " ")
	}
}

// UUID returns the serial number, "CAFE-0001".
func (f *FS) UUID() string { return fmt.Sprintf("%04X-%04X", f.serial>>16, f.serial&0xFFFF) }

// Label returns the volume's label in the boot sector, "" without one.
func (f *FS) Label() string {
	if f.label == "NO NAME" {
		return ""
	}
	return f.label
}

// next returns the cluster that follows, false at the end of a chain.
func (f *FS) next(cluster uint32) (uint32, bool, error) {
	at := int64(cluster) * int64(f.bits) / 8
	b := make([]byte, 4)
	size := (f.bits + 7) / 8
	if n, err := f.r.ReadAt(b[:size], f.fatAt+at); n < size {
		return 0, false, fmt.Errorf("read the table at cluster %d: %w", cluster, err)
	}
	value := binary.LittleEndian.Uint32(b)
	end := uint32(0x0FFFFFF8)
	switch f.bits {
	case 12:
		if cluster%2 == 1 {
			value >>= 4
		}
		value, end = value&0xFFF, 0xFF8
	case 16:
		end = 0xFFF8
	default:
		value &= 0x0FFFFFFF
	}
	if value >= end {
		return 0, false, nil
	}
	if value < 2 || value-2 >= f.clusters {
		return 0, false, fmt.Errorf("cluster %d is followed by %d, of %d", cluster, value, f.clusters)
	}
	return value, true, nil
}

// chain returns the clusters from first on, for size bytes, or all up to maxFolder
// for a folder, whose size is not recorded.
func (f *FS) chain(first uint32, size int64, folder bool) ([]uint32, error) {
	if first < 2 || first-2 >= f.clusters {
		return nil, fmt.Errorf("first cluster %d of %d", first, f.clusters)
	}
	if folder {
		size = maxFolder
	}
	most := (size + f.clusterSize - 1) / f.clusterSize
	if most > int64(f.clusters) {
		if !folder {
			return nil, fmt.Errorf("%d bytes in a file system of %d clusters", size, f.clusters)
		}
		most = int64(f.clusters)
	}
	out := []uint32{first}
	seen := map[uint32]bool{first: true}
	for c := first; int64(len(out)) < most; {
		next, ok, err := f.next(c)
		switch {
		case err != nil:
			return nil, err
		case !ok && folder:
			return out, nil
		case !ok:
			return nil, fmt.Errorf("%d of %d clusters: %w", len(out), most, io.ErrUnexpectedEOF)
		case seen[next]:
			return nil, fmt.Errorf("cluster %d is followed by %d, which was before it", c, next)
		}
		seen[next] = true
		out = append(out, next)
		c = next
	}
	return out, nil
}

func (f *FS) clusterAt(c uint32) int64 { return f.dataAt + int64(c-2)*f.clusterSize }

// folder returns the bytes of a folder; nil entry is the root.
func (f *FS) folder(e *entry) ([]byte, error) {
	if e == nil && f.bits != 32 {
		if f.rootSize > maxFolder {
			return nil, fmt.Errorf("a root folder of %d bytes", f.rootSize)
		}
		b := make([]byte, f.rootSize)
		if n, err := f.r.ReadAt(b, f.rootAt); n < len(b) {
			return nil, fmt.Errorf("read the root folder: %w", err)
		}
		return b, nil
	}
	first := f.rootCluster
	if e != nil {
		first = e.cluster
	}
	clusters, err := f.chain(first, 0, true)
	if err != nil {
		return nil, err
	}
	var out []byte
	piece := make([]byte, f.clusterSize)
	for _, c := range clusters {
		if n, err := f.r.ReadAt(piece, f.clusterAt(c)); n < len(piece) {
			return nil, fmt.Errorf("read cluster %d: %w", c, err)
		}
		out = append(out, piece...)
	}
	return out, nil
}

// find returns the entry at a path, nil for the root.
func (f *FS) find(op, name string) (*entry, error) {
	if !fs.ValidPath(name) {
		return nil, &fs.PathError{Op: op, Path: name, Err: fs.ErrInvalid}
	}
	var at *entry
	if name == "." {
		return nil, nil
	}
	for _, part := range strings.Split(name, "/") {
		if at != nil && !at.IsDir() {
			return nil, &fs.PathError{Op: op, Path: name, Err: fs.ErrNotExist}
		}
		entries, err := f.entries(at)
		if err != nil {
			return nil, &fs.PathError{Op: op, Path: name, Err: err}
		}
		at = nil
		for _, e := range entries {
			if strings.EqualFold(e.name, part) || strings.EqualFold(e.short, part) {
				at = e
				break
			}
		}
		if at == nil {
			return nil, &fs.PathError{Op: op, Path: name, Err: fs.ErrNotExist}
		}
	}
	return at, nil
}

// ReadDir lists a folder.
func (f *FS) ReadDir(name string) ([]fs.DirEntry, error) {
	e, err := f.find("readdir", name)
	if err != nil {
		return nil, err
	}
	if e != nil && !e.IsDir() {
		return nil, &fs.PathError{Op: "readdir", Path: name, Err: errors.New("not a folder")}
	}
	entries, err := f.entries(e)
	if err != nil {
		return nil, &fs.PathError{Op: "readdir", Path: name, Err: err}
	}
	out := make([]fs.DirEntry, len(entries))
	for i, e := range entries {
		out[i] = e
	}
	return out, nil
}

// Open opens a file or a folder. A file can be read at any place.
func (f *FS) Open(name string) (fs.File, error) {
	e, err := f.find("open", name)
	if err != nil {
		return nil, err
	}
	if e == nil || e.IsDir() {
		return folder.Open(f, name), nil
	}
	file := &openFile{fs: f, entry: e}
	if e.size > 0 {
		if file.clusters, err = f.chain(e.cluster, e.size, false); err != nil {
			return nil, &fs.PathError{Op: "open", Path: name, Err: err}
		}
	}
	return file, nil
}

// Stat describes a file or a folder.
func (f *FS) Stat(name string) (fs.FileInfo, error) {
	e, err := f.find("stat", name)
	if err != nil {
		return nil, err
	}
	if e == nil {
		return &entry{name: path.Base(name), folder: true}, nil
	}
	return e, nil
}
