package store

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"sync"
)

// stateFile and lockFile are what a state directory holds.
const (
	stateFile = "state"
	lockFile  = "lock"
)

// Directory is a state in a directory that no other process uses at the same
// time. Every Commit writes the whole state to a new file, syncs it, and puts it
// in the place of the old one: after a power cut one of the two is there, whole.
type Directory struct {
	dir  string
	lock *os.File

	mu      sync.Mutex
	records map[string][]byte
}

// OpenDirectory opens the state in dir, which is created with mode 0700 when it
// does not exist. A state that is damaged is an error and stays as it is; so is
// one that another process has open.
func OpenDirectory(dir string) (*Directory, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make the state directory: %w", err)
	}
	lock, err := lockExclusive(filepath.Join(dir, lockFile))
	if err != nil {
		return nil, err
	}
	d := &Directory{dir: dir, lock: lock}
	if err := d.read(); err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	return d, nil
}

func (d *Directory) read() error {
	path := filepath.Join(d.dir, stateFile)
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		d.records = make(map[string][]byte)
		return nil
	}
	if err != nil {
		return fmt.Errorf("read the TPM's state: %w", err)
	}
	if d.records, err = decode(data); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}

// Load returns the records.
func (d *Directory) Load() (map[string][]byte, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return maps.Clone(d.records), nil
}

// Commit makes the changes durable, all or none.
func (d *Directory) Commit(changes map[string][]byte) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	next := maps.Clone(d.records)
	for name, value := range changes {
		if value == nil {
			delete(next, name)
		} else {
			next[name] = bytes.Clone(value)
		}
	}
	if err := replace(filepath.Join(d.dir, stateFile), encode(next)); err != nil {
		return err
	}
	d.records = next
	return nil
}

// Close lets another process use the directory.
func (d *Directory) Close() error { return d.lock.Close() }

// replace puts data in the place of the file at path, durably and at once.
func replace(path string, data []byte) (err error) {
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*.new")
	if err != nil {
		return fmt.Errorf("write the TPM's state: %w", err)
	}
	defer func() {
		if err != nil {
			err = fmt.Errorf("write the TPM's state: %w", errors.Join(err, f.Close(), os.Remove(f.Name())))
		}
	}()
	if _, err := f.Write(data); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	if err := os.Rename(f.Name(), path); err != nil {
		return err
	}
	// From here on the new state is the state. A directory that cannot be synced
	// may bring the old one back, so that is an error, too.
	if err := syncDirectory(filepath.Dir(path)); err != nil {
		return fmt.Errorf("write the TPM's state: %w", err)
	}
	return f.Close()
}

func syncDirectory(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
