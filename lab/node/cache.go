package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	"github.com/bootseal/bootseal/lab"
)

// The cache has the disks that were never booted, a folder each. A saved node is a folder in that of
// what it begins as: whatever goes takes with it what is of no use without it, and a disk that is made
// again, with another key, meets no node of the one before.
const (
	// firstDiskFile is a disk that was never booted.
	firstDiskFile = "disk.raw"
	// debsFolder is for the packages that scenarios install.
	debsFolder = "debs"
)

// Every change of bootseal makes other nodes, of half a gigabyte each.
const (
	// cacheLimit is how many bytes the cache may have when a run begins.
	cacheLimit = 12 << 30
	// inUse is for how long what was used is not dropped: another run may be at it.
	inUse = 3 * time.Hour
)

// intoCache gives a folder its place in the cache. One may be there, of another run: then it is as good.
func (l *laboratory) intoCache(dir, place string) error {
	err := os.Rename(dir, place)
	if errors.Is(err, syscall.EXDEV) { // temporary files are in memory
		var work string
		if work, err = lab.NewFolder(l.cache); err != nil {
			return err
		}
		defer os.RemoveAll(work)
		if err = os.CopyFS(work, os.DirFS(dir)); err != nil {
			return err
		}
		err = os.Rename(work, place)
	}
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	return err
}

// product is something in the cache, as a saved node or a disk.
type product struct {
	path string
	size int64     // in bytes, on the disk, without what begins as it
	used time.Time // when it, or what begins as it, was last used
}

// evict drops from the cache what was not used for longest.
func evict(cache string, limit int64, before time.Time) error {
	all, err := products(cache)
	if err != nil {
		return err
	}
	for _, p := range surplus(all, limit, before) {
		if err := discard(cache, p.path); err != nil {
			return fmt.Errorf("make room in the cache: %w", err)
		}
	}
	return nil
}

// discard removes a product in one step, whenever the run is ended.
func discard(cache, path string) error {
	going, err := lab.NewFolder(cache)
	if err != nil {
		return err
	}
	err = os.Rename(path, filepath.Join(going, filepath.Base(path)))
	if errors.Is(err, fs.ErrNotExist) { // another run was quicker
		err = nil
	}
	return errors.Join(err, os.RemoveAll(going))
}

// surplus are the products that were last used before then, the longest ago first, until no more
// than limit bytes are left.
func surplus(all []product, limit int64, before time.Time) (drop []product) {
	// What begins as another was used no later than that, and stays before it.
	all = slices.SortedStableFunc(slices.Values(all), func(a, b product) int { return a.used.Compare(b.used) })
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

// products are all in the cache, each behind what begins as it.
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
		some, err := productsOf(filepath.Join(cache, e.Name()))
		if errors.Is(err, fs.ErrNotExist) {
			continue // another run has removed it meanwhile
		}
		if err != nil {
			return nil, err
		}
		all = append(all, some...)
	}
	return all, nil
}

// productsOf are what begins as a product, and that itself behind it.
func productsOf(path string) ([]product, error) {
	used, err := lastUsed(path)
	if err != nil {
		return nil, err
	}
	p := product{path: path, used: used}
	var all []product
	err = filepath.WalkDir(path, func(inside string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if inside != path && e.IsDir() {
			if _, err := os.Stat(filepath.Join(inside, diskFile)); err == nil {
				some, err := productsOf(inside)
				if err != nil {
					return err
				}
				all = append(all, some...)
				if last := some[len(some)-1].used; last.After(p.used) {
					p.used = last
				}
				return fs.SkipDir
			}
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		if st, ok := info.Sys().(*syscall.Stat_t); ok { // most of a node's disk is a hole
			p.size += st.Blocks * 512 // stat(2)
		}
		return nil
	})
	return append(all, p), err
}

// lastUsed is the time of a product's disk. That of its folder changes with what begins as it.
func lastUsed(path string) (time.Time, error) {
	for _, name := range []string{diskFile, firstDiskFile} {
		if info, err := os.Stat(filepath.Join(path, name)); err == nil {
			return info.ModTime(), nil
		}
	}
	info, err := os.Stat(path)
	if err != nil {
		return time.Time{}, err
	}
	return info.ModTime(), nil
}

// touch notes that a saved node is used.
func touch(dir string) error {
	return os.Chtimes(filepath.Join(dir, diskFile), time.Time{}, time.Now())
}
