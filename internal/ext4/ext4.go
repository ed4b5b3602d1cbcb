// Package ext4 reads ext2, ext3 and ext4 file systems, read-only (Linux,
// Documentation/filesystems/ext4): what GRUB reads of /boot.
//
//	Open   checks the superblock
//	FS     an io/fs file system, with links that stay inside
//
// Images are hostile: nothing is allocated by what they claim beyond what the
// image can hold, trees have a bounded depth, and names are followed through a
// bounded number of links. A journal that was not written back is not replayed:
// GRUB does not, either.
package ext4

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

// ErrNotExt is returned for something that is no such file system.
var ErrNotExt = errors.New("not an ext2, ext3 or ext4 file system")

const (
	superblockAt   = 1024
	superblockSize = 1024
	magic          = 0xEF53
	rootInode      = 2
	maxFolder      = 4 << 20 // bytes
	maxLinks       = 16
	maxLinkText    = 4096
)

// Incompatible features that are understood, or do not matter to a reader.
const (
	hasFileType = 0x2
	needsReplay = 0x4
	hasMetaBG   = 0x10
	hasExtents  = 0x40
	has64Bit    = 0x80
	hasMMP      = 0x100
	hasFlexBG   = 0x200
	hasEAInode  = 0x400
	hasSeed     = 0x2000
	hasLargeDir = 0x4000
	hasInline   = 0x8000
	hasEncrypt  = 0x10000
	hasCaseFold = 0x20000
	understood  = hasFileType | needsReplay | hasExtents | has64Bit | hasMMP | hasFlexBG | hasEAInode | hasSeed |
		hasLargeDir | hasInline | hasEncrypt | hasCaseFold
)

// FS is a file system. Its methods can be called at the same time.
type FS struct {
	r          io.ReaderAt
	size       int64 // of the image
	blockSize  int64
	blocks     uint64
	inodes     uint32
	perGroup   uint32
	inodeSize  int64
	descSize   int64
	descAt     int64
	uuid       [16]byte
	label      string
	wideBlocks bool
}

// Open reads the superblock of a file system of size bytes at the start of r.
func Open(r io.ReaderAt, size int64) (*FS, error) {
	b := make([]byte, superblockSize)
	if n, _ := r.ReadAt(b, superblockAt); n < len(b) {
		return nil, ErrNotExt
	}
	le := binary.LittleEndian
	if le.Uint16(b[56:]) != magic {
		return nil, ErrNotExt
	}
	f := &FS{r: r, size: size, inodes: le.Uint32(b[0:]), blocks: uint64(le.Uint32(b[4:])), perGroup: le.Uint32(b[40:]),
		inodeSize: 128, descSize: 32}
	shift := le.Uint32(b[24:])
	if shift > 6 {
		return nil, fmt.Errorf("%w: blocks of 2^%d KiB", ErrNotExt, shift)
	}
	f.blockSize = 1024 << shift
	if le.Uint32(b[76:]) > 0 {
		f.inodeSize = int64(le.Uint16(b[88:]))
	}
	incompatible := le.Uint32(b[96:])
	if unknown := incompatible &^ understood; unknown != 0 {
		return nil, fmt.Errorf("ext4: features 0x%x are not understood", unknown)
	}
	if f.wideBlocks = incompatible&has64Bit != 0; f.wideBlocks {
		f.blocks |= uint64(le.Uint32(b[336:])) << 32
		f.descSize = int64(le.Uint16(b[254:]))
	}
	copy(f.uuid[:], b[104:])
	f.label = strings.TrimRight(string(b[120:136]), "\x00")
	firstBlock := int64(le.Uint32(b[20:]))
	f.descAt = (firstBlock + 1) * f.blockSize
	if f.perGroup == 0 || f.inodeSize < 128 || f.inodeSize > f.blockSize || f.descSize < 32 || f.descSize > f.blockSize ||
		firstBlock > 1 {
		return nil, fmt.Errorf("%w: %d inodes a group, of %d bytes", ErrNotExt, f.perGroup, f.inodeSize)
	}
	return f, nil
}

// UUID returns the file system's UUID in lower case.
func (f *FS) UUID() string {
	u := f.uuid
	return fmt.Sprintf("%x-%x-%x-%x-%x", u[:4], u[4:6], u[6:8], u[8:10], u[10:])
}

// Label returns the file system's label, "" without one.
func (f *FS) Label() string { return f.label }

func (f *FS) readAt(b []byte, at int64) error {
	if at < 0 || at > f.size-int64(len(b)) {
		return fmt.Errorf("%d bytes at %d in an image of %d: %w", len(b), at, f.size, io.ErrUnexpectedEOF)
	}
	if n, err := f.r.ReadAt(b, at); n < len(b) {
		return fmt.Errorf("read %d bytes at %d: %w", len(b), at, err)
	}
	return nil
}

// lookup returns the inode at a path. follow says whether a link at its end is
// followed; links before it are.
func (f *FS) lookup(op, name string, follow bool) (*inode, error) {
	fail := func(err error) (*inode, error) { return nil, &fs.PathError{Op: op, Path: name, Err: err} }
	if !fs.ValidPath(name) {
		return fail(fs.ErrInvalid)
	}
	rest := strings.Split(name, "/")
	if name == "." {
		rest = nil
	}
	var done []string
	for links := 0; ; {
		at, err := f.inode(rootInode)
		if err != nil {
			return fail(err)
		}
		link := false
		todo := append(append([]string(nil), done...), rest...)
		for i, part := range todo {
			if at, err = f.child(at, part); err != nil {
				return fail(err)
			}
			if at.isLink() && (follow || i+1 < len(todo)) {
				if links++; links > maxLinks {
					return fail(errors.New("too many links"))
				}
				target, err := f.linkText(at)
				if err != nil {
					return fail(err)
				}
				if !path.IsAbs(target) {
					target = "/" + strings.Join(todo[:i], "/") + "/" + target
				}
				target = path.Join(target, strings.Join(todo[i+1:], "/"))
				done, rest, link = nil, strings.Split(strings.Trim(target, "/"), "/"), true
				if strings.Trim(target, "/") == "" {
					rest = nil
				}
				break
			}
		}
		if !link {
			at.name = path.Base(name)
			return at, nil
		}
	}
}

// child returns the inode of a name in a folder.
func (f *FS) child(dir *inode, name string) (*inode, error) {
	if !dir.isFolder() {
		return nil, fs.ErrNotExist
	}
	entries, err := f.entries(dir)
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		if e.name == name {
			return f.inode(e.inode)
		}
	}
	return nil, fs.ErrNotExist
}

func (f *FS) linkText(n *inode) (string, error) {
	if n.size > maxLinkText {
		return "", fmt.Errorf("a link of %d bytes", n.size)
	}
	if n.size < int64(len(n.block)) && n.flags&(flagExtents|flagInline) == 0 {
		return string(n.block[:n.size]), nil
	}
	b, err := f.contents(n)
	return string(b), err
}

// contents reads all of a small file.
func (f *FS) contents(n *inode) ([]byte, error) {
	file := &openFile{fs: f, inode: n}
	if err := file.locate(); err != nil {
		return nil, err
	}
	b := make([]byte, n.size)
	if got, err := file.ReadAt(b, 0); got < len(b) {
		return nil, err
	}
	return b, nil
}

// Open opens a file or a folder. A file can be read at any place.
func (f *FS) Open(name string) (fs.File, error) {
	n, err := f.lookup("open", name, true)
	if err != nil {
		return nil, err
	}
	switch {
	case n.isFolder():
		return folder.Open(f, name), nil
	case !n.isRegular():
		return nil, &fs.PathError{Op: "open", Path: name, Err: errors.New("not a regular file")}
	}
	file := &openFile{fs: f, inode: n}
	if err := file.locate(); err != nil {
		return nil, &fs.PathError{Op: "open", Path: name, Err: err}
	}
	return file, nil
}

// Stat describes a file; links are followed.
func (f *FS) Stat(name string) (fs.FileInfo, error) { return f.lookup("stat", name, true) }

// ReadDir lists a folder.
func (f *FS) ReadDir(name string) ([]fs.DirEntry, error) {
	n, err := f.lookup("readdir", name, true)
	if err != nil {
		return nil, err
	}
	list, err := f.list(n)
	if err != nil {
		return nil, &fs.PathError{Op: "readdir", Path: name, Err: err}
	}
	return list, nil
}
