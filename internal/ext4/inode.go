package ext4

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"time"
)

// Flags of an inode.
const (
	flagEncrypted = 0x800
	flagExtents   = 0x80000
	flagInline    = 0x10000000
)

// File types in an inode's mode.
const (
	typeMask    = 0xF000
	typeFolder  = 0x4000
	typeRegular = 0x8000
	typeLink    = 0xA000
)

// inode is a file, folder or link.
type inode struct {
	number uint32
	mode   uint16
	flags  uint32
	size   int64
	block  [60]byte // the map of blocks, or small contents
	name   string
}

func (n *inode) isFolder() bool  { return n.mode&typeMask == typeFolder }
func (n *inode) isRegular() bool { return n.mode&typeMask == typeRegular }
func (n *inode) isLink() bool    { return n.mode&typeMask == typeLink }

func (n *inode) Name() string       { return n.name }
func (n *inode) Size() int64        { return n.size }
func (n *inode) ModTime() time.Time { return time.Time{} }
func (n *inode) IsDir() bool        { return n.isFolder() }
func (n *inode) Sys() any           { return nil }

func (n *inode) Mode() fs.FileMode {
	m := fs.FileMode(n.mode & 0o777)
	switch n.mode & typeMask {
	case typeFolder:
		return m | fs.ModeDir
	case typeLink:
		return m | fs.ModeSymlink
	case typeRegular:
		return m
	}
	return m | fs.ModeIrregular
}

// inode reads an inode.
func (f *FS) inode(number uint32) (*inode, error) {
	if number == 0 || number > f.inodes {
		return nil, fmt.Errorf("inode %d of %d", number, f.inodes)
	}
	group, index := (number-1)/f.perGroup, (number-1)%f.perGroup
	desc := make([]byte, f.descSize)
	if err := f.readAt(desc, f.descAt+int64(group)*f.descSize); err != nil {
		return nil, fmt.Errorf("group %d: %w", group, err)
	}
	le := binary.LittleEndian
	table := uint64(le.Uint32(desc[8:]))
	if f.wideBlocks && f.descSize >= 64 {
		table |= uint64(le.Uint32(desc[40:])) << 32
	}
	if table >= f.blocks {
		return nil, fmt.Errorf("group %d: inodes at block %d of %d", group, table, f.blocks)
	}
	b := make([]byte, 128)
	if err := f.readAt(b, int64(table)*f.blockSize+int64(index)*f.inodeSize); err != nil {
		return nil, fmt.Errorf("inode %d: %w", number, err)
	}
	n := &inode{number: number, mode: le.Uint16(b), flags: le.Uint32(b[32:]), size: int64(le.Uint32(b[4:]))}
	if n.isRegular() {
		n.size |= int64(le.Uint32(b[108:])) << 32
	}
	copy(n.block[:], b[40:])
	switch {
	case n.flags&flagEncrypted != 0:
		return nil, fmt.Errorf("inode %d is encrypted", number)
	case n.size < 0 || n.size > f.size:
		// Holes make it possible, and no boot loader reads such a file.
		return nil, fmt.Errorf("inode %d has %d bytes in an image of %d", number, n.size, f.size)
	}
	return n, nil
}

// dirent is an entry of a folder.
type dirent struct {
	inode uint32
	name  string
}

const direntHeader = 8

var errFolder = errors.New("an entry of a folder does not fit into it")

// entries reads a folder. An index by hashes looks like empty entries to a reader
// that goes through all, which is how it was made compatible.
func (f *FS) entries(dir *inode) ([]dirent, error) {
	if dir.size > maxFolder {
		return nil, fmt.Errorf("a folder of %d bytes", dir.size)
	}
	b, err := f.contents(dir)
	if err != nil {
		return nil, err
	}
	if dir.flags&flagInline != 0 && len(b) > 4 {
		b = b[4:] // the parent's number
	}
	var out []dirent
	le := binary.LittleEndian
	for len(b) >= direntHeader {
		number, size, length := le.Uint32(b), int(le.Uint16(b[4:])), int(b[6])
		if size < direntHeader || size > len(b) || length > size-direntHeader {
			return nil, errFolder
		}
		name := string(b[direntHeader : direntHeader+length])
		if number != 0 && name != "." && name != ".." && fs.ValidPath(name) && !strings.Contains(name, "/") {
			out = append(out, dirent{number, name})
		}
		b = b[size:]
	}
	slices.SortFunc(out, func(a, b dirent) int { return strings.Compare(a.name, b.name) })
	return out, nil
}

// list reads a folder with what its entries are.
func (f *FS) list(dir *inode) ([]fs.DirEntry, error) {
	if !dir.isFolder() {
		return nil, errors.New("not a folder")
	}
	entries, err := f.entries(dir)
	if err != nil {
		return nil, err
	}
	out := make([]fs.DirEntry, 0, len(entries))
	for _, e := range entries {
		n, err := f.inode(e.inode)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", e.name, err)
		}
		n.name = e.name
		out = append(out, fs.FileInfoToDirEntry(n))
	}
	return out, nil
}
