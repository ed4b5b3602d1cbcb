package grub

import (
	"encoding/binary"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// squashfs is a file system with the folder fonts and a file in it, as in Ubuntu's memdisk.
func squashfs() []byte {
	le := binary.LittleEndian
	inode := func(kind uint16, block uint32, size, offset uint16) []byte {
		b := make([]byte, squashFolderInode)
		le.PutUint16(b, kind)
		le.PutUint32(b[16:], block)
		le.PutUint16(b[24:], size)
		le.PutUint16(b[26:], offset)
		return b
	}
	folder := func(inode, kind uint16, name string) []byte {
		b := make([]byte, 20)
		le.PutUint16(b[12:], inode)
		le.PutUint16(b[16:], kind)
		le.PutUint16(b[18:], uint16(len(name)-1))
		return append(b, name...)
	}
	table := func(parts ...[]byte) []byte {
		data := slices.Concat(parts...)
		return append(le.AppendUint16(nil, squashPlain|uint16(len(data))), data...)
	}
	fonts, root := folder(0, squashFile, "unicode.pf2"), folder(squashFolderInode, squashFolder, "fonts")
	inodes := table(inode(squashFile, 0, 0, 0), inode(squashFolder, 0, uint16(len(fonts)+3), 0),
		inode(squashFolder, 0, uint16(len(root)+3), uint16(len(fonts))))
	folders := table(fonts, root)
	super := make([]byte, squashSuper)
	copy(super, "hsqs")
	le.PutUint16(super[28:], 4)
	le.PutUint64(super[32:], 2*squashFolderInode) // the root's inode
	le.PutUint64(super[64:], squashSuper)
	le.PutUint64(super[72:], uint64(squashSuper+len(inodes)))
	le.PutUint64(super[80:], ^uint64(0))
	return slices.Concat(super, inodes, folders)
}

func TestReadSquashfs(t *testing.T) {
	whole := squashfs()
	files, err := readMemdisk(whole)
	if _, there := files["/fonts/unicode.pf2"]; err != nil || !there || len(files) != 1 {
		t.Fatalf("%q, %v", files, err)
	}
	for n := range whole {
		if files, err := readMemdisk(whole[:n]); err == nil && len(files) > 0 {
			t.Errorf("of %d bytes %q was read", n, files)
		}
	}
	loop := squashfs()
	loop[squashSuper+2+squashFolderInode+26] = 31 // fonts is in fonts, and so on
	loop[squashSuper+2+squashFolderInode+24] = 25 + 3
	if _, err := readMemdisk(loop); err == nil {
		t.Error("a folder in itself was read")
	}
}

// TestSquashfsOfMksquashfs reads what squashfs-tools write.
func TestSquashfsOfMksquashfs(t *testing.T) {
	if _, err := exec.LookPath("mksquashfs"); err != nil {
		t.Skip("mksquashfs is not installed (Debian: squashfs-tools)")
	}
	dir := t.TempDir()
	want := []string{"/a", "/fonts/unicode.pf2", "/x86_64-efi/deep/b"}
	for _, name := range want {
		path := filepath.Join(dir, "root", name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(strings.Repeat(name, 1000)), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for option, readable := range map[string]bool{"-noInodeCompression": true, "-comp": false} {
		image := filepath.Join(dir, option)
		args := []string{filepath.Join(dir, "root"), image, "-quiet", "-no-progress", option}
		if option == "-comp" {
			args = append(args, "gzip")
		}
		if out, err := exec.Command("mksquashfs", args...).CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		b, err := os.ReadFile(image)
		if err != nil {
			t.Fatal(err)
		}
		files, err := readMemdisk(b)
		if got := slices.Sorted(maps.Keys(files)); readable != (err == nil) || readable && !slices.Equal(got, want) {
			t.Errorf("%s: %q, %v", option, got, err)
		}
	}
}
