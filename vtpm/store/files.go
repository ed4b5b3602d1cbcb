package store

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// files is what the store asks of a directory: everything that it does to a disk
// goes through here. Tests put a disk in its place that loses power and fails.
type files interface {
	// Open opens a file that exists; fs.ErrNotExist when there is none.
	Open(name string) (file, error)
	// Create makes an empty file, in the place of one with the name.
	Create(name string) (file, error)
	// Rename puts a file in the place of another, or of none, at once.
	Rename(from, to string) error
	// Remove removes a file.
	Remove(name string) error
	// Sync makes the directory durable: what its names stand for.
	Sync() error
}

// file is an open file.
type file interface {
	io.ReaderAt
	io.WriterAt
	io.Closer
	// Size returns the size in bytes.
	Size() (int64, error)
	// Sync makes the file's content durable.
	Sync() error
	// Datasync is Sync for a file whose size did not change since the last one.
	Datasync() error
}

// osFiles is a directory of the operating system. With a base the state is the
// file of that name, among others.
type osFiles struct{ dir, base string }

func (d osFiles) path(name string) string {
	if d.base != "" {
		name = map[string]string{stateFile: d.base, newFile: d.base + ".new", lockFile: d.base + ".lock"}[name]
	}
	return filepath.Join(d.dir, name)
}

func (d osFiles) open(name string, flag int) (file, error) {
	f, err := os.OpenFile(d.path(name), flag, 0o600)
	if err != nil {
		return nil, err
	}
	return osFile{f}, nil
}

func (d osFiles) Open(name string) (file, error) { return d.open(name, os.O_RDWR) }
func (d osFiles) Create(name string) (file, error) {
	return d.open(name, os.O_RDWR|os.O_CREATE|os.O_TRUNC)
}
func (d osFiles) Rename(from, to string) error { return os.Rename(d.path(from), d.path(to)) }
func (d osFiles) Remove(name string) error     { return os.Remove(d.path(name)) }
func (d osFiles) Sync() error                  { return syncDirectory(d.dir) }

type osFile struct{ *os.File }

func (f osFile) Size() (int64, error) {
	info, err := f.Stat()
	if err != nil {
		return 0, err
	}
	if !info.Mode().IsRegular() {
		return 0, fmt.Errorf("%s is not a regular file", f.Name())
	}
	return info.Size(), nil
}

func (f osFile) Datasync() error { return datasync(f.File) }

// makeDirectory makes dir and what is missing above it, durably: a state is not
// on disk while the directory that holds it is not.
func makeDirectory(dir string) error {
	if info, err := os.Stat(dir); err == nil && info.IsDir() {
		return nil
	}
	parent := filepath.Dir(dir)
	if parent != dir {
		if err := makeDirectory(parent); err != nil {
			return err
		}
	}
	if err := os.Mkdir(dir, 0o700); err != nil {
		return err
	}
	return syncDirectory(parent)
}

func syncDirectory(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	err = d.Sync()
	if closeErr := d.Close(); err == nil {
		err = closeErr
	}
	return err
}
