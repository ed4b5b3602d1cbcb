package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"time"
)

// Every change of bootseal makes other nodes, of half a gigabyte each.
const (
	// cacheLimit is how many bytes the cache may have when a run begins.
	cacheLimit = 12 << 30
	// inUse is for how long what was used is not dropped: another run may be at it.
	inUse = 3 * time.Hour
)

// product is something in the cache, as a saved node or a disk.
type product struct {
	path string
	size int64 // in bytes, on the disk
	used time.Time
}

// evict drops from the cache what was not used for longest.
func evict(cache string, limit int64, before time.Time) error {
	all, err := products(cache)
	if err != nil {
		return err
	}
	for _, p := range surplus(all, limit, before) {
		if err := os.RemoveAll(p.path); err != nil {
			return fmt.Errorf("make room in the cache: %w", err)
		}
	}
	return nil
}

// surplus are the products that were last used before then, the longest ago first, until no more
// than limit bytes are left. What others begin as is used after them: see [laboratory.use].
func surplus(all []product, limit int64, before time.Time) (drop []product) {
	all = slices.SortedFunc(slices.Values(all), func(a, b product) int { return a.used.Compare(b.used) })
	total := int64(0)
	for _, p := range all {
		total += p.size
	}
	for _, p := range all {
		if total <= limit || !p.used.Before(before) {
			break
		}
		drop, total = append(drop, p), total-p.size
	}
	return drop
}

func products(cache string) ([]product, error) {
	entries, err := os.ReadDir(cache)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	var all []product
	for _, e := range entries {
		if e.Name() == debsFolder { // apt sees itself whether they are still good
			continue
		}
		info, err := e.Info()
		if errors.Is(err, fs.ErrNotExist) {
			continue // another run is done with it
		}
		if err != nil {
			return nil, err
		}
		p := product{path: filepath.Join(cache, e.Name()), used: info.ModTime()}
		if p.size, err = onDisk(p.path); err != nil {
			return nil, err
		}
		all = append(all, p)
	}
	return all, nil
}

// onDisk returns how many bytes a file or a folder takes: most of a node's disk is a hole. What
// another run removes meanwhile takes none.
func onDisk(path string) (size int64, err error) {
	err = filepath.WalkDir(path, func(_ string, e fs.DirEntry, err error) error {
		var info fs.FileInfo
		if err == nil {
			info, err = e.Info()
		}
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		if st, ok := info.Sys().(*syscall.Stat_t); ok {
			size += st.Blocks * 512 // stat(2)
		}
		return nil
	})
	return size, err
}

// use notes that a saved node is used, and after that what it begins as, down to the disk that was
// never booted.
func (l *laboratory) use(ctx context.Context, state string) error {
	r, err := l.releaseOf(ctx, state)
	if err != nil {
		return err
	}
	for {
		dir, err := l.stateFolder(ctx, state)
		if err != nil {
			return err
		}
		if err := touch(dir); err != nil {
			return err
		}
		if state == r.State {
			return touch(r.disk)
		}
		s, err := maker(state)
		if err != nil {
			return err
		}
		state = s.word("from")
	}
}

func touch(path string) error {
	err := os.Chtimes(path, time.Time{}, time.Now())
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%s is gone, which saved nodes begin as: remove %s, and they are made again", filepath.Base(path), filepath.Dir(path))
	}
	return err
}
