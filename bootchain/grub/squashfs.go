package grub

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// The numbers of squashfs 4.0 (Linux: fs/squashfs/squashfs_fs.h).
const (
	squashSuper       = 96 // bytes of the superblock
	squashPlain       = 0x8000
	squashMetadata    = 8192 // bytes in a metadata block, at most
	squashFolder      = 1    // kinds of inodes
	squashFile        = 2
	squashFolderInode = 32 // bytes
)

// squash is a squashfs whose tables of inodes and folders are not compressed, which is so where
// compressing does not make them smaller: in Ubuntu's memdisk, with its one font. Contents of
// files are not read.
type squash struct {
	inodes, folders squashTable
	files           map[string]string
	count           int // of entries that were read
}

// squashTable are the metadata blocks of a table, put together, and where each begins.
type squashTable struct {
	data []byte
	at   map[uint32]int // by the block's offset in the table
}

func readSquashfs(b []byte) (map[string]string, error) {
	if len(b) < squashSuper {
		return nil, errors.New("the memdisk's squashfs ends in its superblock")
	}
	le := binary.LittleEndian
	root, inodes, folders, fragments := le.Uint64(b[32:]), le.Uint64(b[64:]), le.Uint64(b[72:]), le.Uint64(b[80:])
	end := min(fragments, uint64(len(b)))
	if le.Uint16(b[28:]) != 4 || squashSuper > inodes || inodes > folders || folders > end || end-inodes > maxMemdiskRead {
		return nil, errors.New("the memdisk's squashfs is not one of version 4.0")
	}
	s := squash{inodes: readSquashTable(b[inodes:folders]), folders: readSquashTable(b[folders:end]), files: make(map[string]string)}
	return s.files, s.readFolder("/", uint32(root>>16), uint16(root), 0)
}

// readSquashTable reads metadata blocks, up to what is compressed, or none.
func readSquashTable(b []byte) squashTable {
	t := squashTable{at: make(map[uint32]int)}
	for at := 0; at+2 <= len(b); {
		header := binary.LittleEndian.Uint16(b[at:])
		size := int(header &^ squashPlain)
		if header&squashPlain == 0 || size == 0 || size > squashMetadata || at+2+size > len(b) {
			break
		}
		t.at[uint32(at)] = len(t.data)
		t.data = append(t.data, b[at+2:at+2+size]...)
		at += 2 + size
	}
	return t
}

// from returns the table from a place in a block on, at least so many bytes of it.
func (t *squashTable) from(block uint32, offset uint16, atLeast int) ([]byte, error) {
	at, ok := t.at[block]
	if at += int(offset); !ok || at+atLeast > len(t.data) {
		return nil, errors.New("the memdisk is a squashfs file system whose folders are compressed, which is not read")
	}
	return t.data[at:], nil
}

// readFolder lists a folder by its inode: runs of entries, each behind a header.
func (s *squash) readFolder(dir string, block uint32, offset uint16, depth int) error {
	if depth > 8 {
		return errors.New("the memdisk has folders that are nested too deeply")
	}
	le := binary.LittleEndian
	inode, err := s.inodes.from(block, offset, squashFolderInode)
	if err != nil {
		return err
	}
	if kind := le.Uint16(inode); kind != squashFolder {
		return fmt.Errorf("the memdisk's squashfs has the kind %d of inode for the folder %s, which is not read", kind, dir)
	}
	size := int(le.Uint16(inode[24:])) - 3 // with . and .., which have no entries
	if size <= 0 {
		return nil
	}
	list, err := s.folders.from(le.Uint32(inode[16:]), le.Uint16(inode[26:]), size)
	if err != nil {
		return err
	}
	for list = list[:size]; len(list) >= 12; {
		count, inodes := int(le.Uint32(list))+1, le.Uint32(list[4:])
		list = list[12:]
		for ; count > 0; count-- {
			if len(list) < 8 || len(list) < 9+int(le.Uint16(list[6:])) {
				return errors.New("the memdisk's squashfs ends in a folder")
			}
			name := dir + string(list[8:9+int(le.Uint16(list[6:]))])
			at, kind := le.Uint16(list), le.Uint16(list[4:])
			list = list[9+int(le.Uint16(list[6:])):]
			if s.count++; s.count > maxMemdiskFiles {
				return errors.New("the memdisk has too many files")
			}
			switch kind {
			case squashFile:
				s.files[name] = ""
			case squashFolder:
				if err := s.readFolder(name+"/", inodes, at, depth+1); err != nil {
					return err
				}
			default:
				return fmt.Errorf("the memdisk has %s, which is neither a file nor a folder", name)
			}
		}
	}
	return nil
}
