package main

import (
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"time"
)

// volume is a file system whose files lie in a folder by their digests.
type volume struct {
	dir   string
	files map[string]string // digest by path
}

// Open opens a file or a folder.
func (v volume) Open(name string) (fs.File, error) {
	if digest, ok := v.files[name]; ok {
		return os.Open(filepath.Join(v.dir, "files", digest))
	}
	return folder{v, name}, nil
}

// ReadDir lists a folder.
func (v volume) ReadDir(dir string) ([]fs.DirEntry, error) {
	seen := make(map[string]bool)
	var out []fs.DirEntry
	for name := range v.files {
		rest, ok := name, dir == "."
		if !ok {
			rest, ok = strings.CutPrefix(name, dir+"/")
		}
		first, _, below := strings.Cut(rest, "/")
		if ok && !seen[first] {
			seen[first] = true
			out = append(out, entry{first, below})
		}
	}
	return out, nil
}

// folder is an open folder.
type folder struct {
	v    volume
	name string
}

func (f folder) Stat() (fs.FileInfo, error)         { return entry{path.Base(f.name), true}, nil }
func (f folder) Read([]byte) (int, error)           { return 0, fs.ErrInvalid }
func (f folder) Close() error                       { return nil }
func (f folder) ReadDir(int) ([]fs.DirEntry, error) { return f.v.ReadDir(f.name) }

// entry is a name in a folder.
type entry struct {
	name  string
	isDir bool
}

func (e entry) Name() string               { return e.name }
func (e entry) IsDir() bool                { return e.isDir }
func (e entry) Info() (fs.FileInfo, error) { return e, nil }
func (e entry) Size() int64                { return 0 }
func (e entry) ModTime() time.Time         { return time.Time{} }
func (e entry) Sys() any                   { return nil }
func (e entry) Type() fs.FileMode          { return e.Mode().Type() }
func (e entry) Mode() fs.FileMode {
	if e.isDir {
		return fs.ModeDir | 0o755
	}
	return 0o644
}
