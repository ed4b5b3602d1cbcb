// Package folder is an open folder of a read-only file system, which pages through what the file
// system lists.
package folder

import (
	"errors"
	"io"
	"io/fs"
)

// FS is a file system that lists a folder whole.
type FS interface {
	fs.StatFS
	fs.ReadDirFS
}

// folder is an fs.ReadDirFile.
type folder struct {
	fsys FS
	name string
	list []fs.DirEntry // what is left of it
	read bool
}

// Open returns the folder of the name, of which the caller knows that it is one. It is listed when
// somebody asks.
func Open(fsys FS, name string) fs.ReadDirFile { return &folder{fsys: fsys, name: name} }

func (f *folder) Stat() (fs.FileInfo, error) { return f.fsys.Stat(f.name) }
func (f *folder) Close() error               { return nil }
func (f *folder) Read([]byte) (int, error) {
	return 0, &fs.PathError{Op: "read", Path: f.name, Err: errors.New("is a folder")}
}

// ReadDir returns the next entries, as fs.ReadDirFile says.
func (f *folder) ReadDir(n int) ([]fs.DirEntry, error) {
	if !f.read {
		list, err := f.fsys.ReadDir(f.name)
		if err != nil {
			return nil, err
		}
		f.list, f.read = list, true
	}
	out := f.list
	if n > 0 {
		if len(f.list) == 0 {
			return nil, io.EOF
		}
		out = f.list[:min(n, len(f.list))]
	}
	f.list = f.list[len(out):]
	return out, nil
}
