// Package atomicfile writes files that are there whole and on disk, or not at all.
package atomicfile

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// Write puts data in the place of whatever file the path names. After an error, or a
// power cut, the old file is there or the new one, never a part.
func Write(path string, data []byte, mode fs.FileMode) error {
	return write(path, data, mode, os.Rename)
}

// Create writes a file that must not be there yet: otherwise it fails with
// [fs.ErrExist], and what was there stays.
func Create(path string, data []byte, mode fs.FileMode) error {
	return write(path, data, mode, func(from, to string) error {
		if err := os.Link(from, to); err == nil {
			return os.Remove(from)
		} else if errors.Is(err, fs.ErrExist) {
			return err
		}
		// FAT has no links. Nobody is kept from making the file in between.
		if _, err := os.Lstat(to); err == nil {
			return &fs.PathError{Op: "create", Path: to, Err: fs.ErrExist}
		} else if !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		return os.Rename(from, to)
	})
}

// write writes a temporary file, and has place bring it to its name.
func write(path string, data []byte, mode fs.FileMode, place func(from, to string) error) (err error) {
	f, err := os.CreateTemp(filepath.Dir(path), ".bootseal-*")
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	defer func() {
		if err != nil {
			_ = os.Remove(f.Name()) // the error proper is what matters
			err = fmt.Errorf("write %s: %w", path, err)
		}
	}()
	_, err = f.Write(data)
	if err == nil {
		err = setMode(f, mode)
	}
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	if err = place(f.Name(), path); err != nil {
		return err
	}
	return SyncDir(filepath.Dir(path))
}

// setMode sets a file's mode. FAT has none: its files have the mode of the mount, and
// another one is refused (Linux, fs/fat/file.c, fat_sanitize_mode). That is no error where
// nobody but the owner may do more than was asked for.
func setMode(f *os.File, mode fs.FileMode) error {
	err := f.Chmod(mode)
	if !errors.Is(err, fs.ErrPermission) {
		return err
	}
	info, statErr := f.Stat()
	if statErr != nil || !closedEnough(info.Mode(), mode) {
		return err
	}
	return nil
}

func closedEnough(have, want fs.FileMode) bool {
	const others = 0o077
	return have&others&^want == 0
}

// Remove removes a file for good. One that is not there is no error.
func Remove(path string) error {
	if err := os.Remove(path); errors.Is(err, fs.ErrNotExist) {
		return nil
	} else if err != nil {
		return err
	}
	return SyncDir(filepath.Dir(path))
}

// SyncDir brings a directory's entries to disk.
func SyncDir(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
