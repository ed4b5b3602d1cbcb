package grub

import (
	"archive/tar"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"
	"unicode/utf16"
)

// A memdisk is a file system in a GRUB program: FAT12 or FAT16 (Debian), a tar
// archive (grub-mkstandalone), or squashfs (Ubuntu).

const (
	maxMemdiskFiles = 10000
	maxMemdiskText  = 64 << 10 // bytes of a file whose text is kept
	maxMemdiskRead  = 4 << 20  // bytes that are read in all
)

// readMemdisk returns a memdisk's files by path, with the text of small ones.
func readMemdisk(b []byte) (map[string]string, error) {
	switch {
	case bytes.HasPrefix(b, []byte("hsqs")):
		return readSquashfs(b)
	case len(b) > 262 && string(b[257:262]) == "ustar":
		return readTar(b)
	case len(b) > 512 && b[510] == 0x55 && b[511] == 0xaa:
		return readFAT(b)
	}
	return nil, errors.New("the memdisk is of no known kind")
}

// keep returns a small text, or "".
func keep(b []byte) string {
	if len(b) > maxMemdiskText || bytes.IndexByte(b, 0) >= 0 {
		return ""
	}
	return string(b)
}

func readTar(b []byte) (map[string]string, error) {
	files := make(map[string]string)
	total := 0
	r := tar.NewReader(bytes.NewReader(b))
	for {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return files, nil
		}
		if err != nil {
			return files, fmt.Errorf("read the memdisk: %w", err)
		}
		if h.Typeflag != tar.TypeReg {
			continue
		}
		if len(files) == maxMemdiskFiles || total > maxMemdiskRead {
			return files, errors.New("the memdisk has too many files")
		}
		text, err := io.ReadAll(io.LimitReader(r, maxMemdiskText+1))
		if err != nil {
			return files, fmt.Errorf("read the memdisk: %w", err)
		}
		total += len(text)
		name := path.Clean("/" + h.Name)
		files[name] = keep(text)
	}
}

// fat is a FAT12 or FAT16 file system (Microsoft's FAT specification, "FAT Type
// Determination", "FAT Directory Structure").
type fat struct {
	b           []byte
	clusterSize int
	table       int // offset
	data        int // offset of cluster 2
	clusters    int
	files       map[string]string
	count       int // of directory entries that were read
	bytes       int // that were read
}

func readFAT(b []byte) (map[string]string, error) {
	le := binary.LittleEndian
	sector, perCluster := int(le.Uint16(b[11:])), int(b[13])
	reserved, tables, rootEntries := int(le.Uint16(b[14:])), int(b[16]), int(le.Uint16(b[17:]))
	total, tableSectors := int(le.Uint16(b[19:])), int(le.Uint16(b[22:]))
	if total == 0 {
		total = int(le.Uint32(b[32:]))
	}
	if sector == 0 || sector%512 != 0 || perCluster == 0 || tables == 0 || tableSectors == 0 || rootEntries == 0 {
		return nil, errors.New("the memdisk is no FAT12 or FAT16 file system")
	}
	root := (reserved + tables*tableSectors) * sector
	f := &fat{b: b, clusterSize: sector * perCluster, table: reserved * sector, data: root + rootEntries*32, files: make(map[string]string)}
	f.clusters = (total*sector - f.data) / f.clusterSize
	if f.data > len(b) || f.clusters < 1 || f.clusters >= 65525 {
		return nil, errors.New("the memdisk is no FAT12 or FAT16 file system")
	}
	return f.files, f.readDir("/", b[root:f.data], 0)
}

func (f *fat) next(cluster int) int {
	if f.clusters >= 4085 {
		at := f.table + cluster*2
		if at+2 > len(f.b) {
			return 0xffff
		}
		return int(binary.LittleEndian.Uint16(f.b[at:]))
	}
	at := f.table + cluster*3/2
	if at+2 > len(f.b) {
		return 0xfff
	}
	n := int(binary.LittleEndian.Uint16(f.b[at:]))
	if cluster%2 == 1 {
		return n >> 4
	}
	return n & 0xfff
}

// read returns the first bytes of a chain of clusters, at most most.
func (f *fat) read(cluster, most int) []byte {
	var out []byte
	for n := 0; cluster >= 2 && cluster < f.clusters+2 && len(out) < most && n <= f.clusters && f.bytes < maxMemdiskRead; n++ {
		at := f.data + (cluster-2)*f.clusterSize
		if at+f.clusterSize > len(f.b) {
			break
		}
		out = append(out, f.b[at:at+f.clusterSize]...)
		f.bytes += f.clusterSize
		cluster = f.next(cluster)
	}
	return out[:min(len(out), most)]
}

func (f *fat) readDir(dir string, entries []byte, depth int) error {
	if depth > 8 {
		return errors.New("the memdisk has folders that are nested too deeply")
	}
	var long []uint16
	for ; len(entries) >= 32 && entries[0] != 0; entries = entries[32:] {
		if f.count++; f.count > maxMemdiskFiles || f.bytes >= maxMemdiskRead {
			return errors.New("the memdisk has too many files")
		}
		e := entries[:32]
		attributes := e[11]
		switch {
		case e[0] == 0xe5:
			long = nil
			continue
		case attributes&0x3f == 0x0f: // a part of a long name, the last one first
			var part []uint16
			for _, r := range [][2]int{{1, 11}, {14, 26}, {28, 32}} {
				for i := r[0]; i < r[1]; i += 2 {
					part = append(part, binary.LittleEndian.Uint16(e[i:]))
				}
			}
			long = append(part, long...)
			continue
		case attributes&0x08 != 0 || e[0] == '.':
			long = nil
			continue
		}
		name := dir + fatName(e, long)
		long = nil
		cluster, size := int(binary.LittleEndian.Uint16(e[26:])), int(binary.LittleEndian.Uint32(e[28:]))
		if attributes&0x10 != 0 {
			if err := f.readDir(name+"/", f.read(cluster, 1<<20), depth+1); err != nil {
				return err
			}
			continue
		}
		text := []byte{0} // of a large file nothing is kept
		if size <= maxMemdiskText {
			text = f.read(cluster, size)
		}
		f.files[name] = keep(text)
	}
	return nil
}

// fatName is an entry's name: the long one, or the short one in lower case, as
// GRUB shows it.
func fatName(e []byte, long []uint16) string {
	if len(long) > 0 {
		for i, c := range long {
			if c == 0 {
				long = long[:i]
				break
			}
		}
		return string(utf16.Decode(long))
	}
	base, ext := strings.TrimRight(string(e[:8]), " "), strings.TrimRight(string(e[8:11]), " ")
	if ext != "" {
		base += "." + ext
	}
	return strings.ToLower(base)
}
