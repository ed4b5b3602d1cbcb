package main

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/bootseal/bootseal/lab"
)

// What was not used for longest goes first, until the rest fits; what may be in use stays.
func TestSurplus(t *testing.T) {
	now := time.Now()
	ago := func(name string, size int64, hours int) product {
		return product{name, size, now.Add(-time.Duration(hours) * time.Hour)}
	}
	all := []product{ago("enrolled", 5, 9), ago("installed", 2, 8), ago("upgraded", 6, 20), ago("newer", 7, 1)}
	for _, c := range []struct {
		limit int64
		want  []string
	}{
		{20, nil}, {19, []string{"upgraded"}}, {14, []string{"upgraded"}}, {13, []string{"upgraded", "enrolled"}},
		{0, []string{"upgraded", "enrolled", "installed"}}, // the newer one may be in use
	} {
		var got []string
		for _, p := range surplus(all, c.limit, now.Add(-3*time.Hour)) {
			got = append(got, p.path)
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("limit %d: drops %q, want %q", c.limit, got, c.want)
		}
	}
}

// A saved node goes before what it begins as, however long ago that was used itself, and with it: a
// disk that is made again has another key, and would be garbage to a node of the one before.
func TestEvict(t *testing.T) {
	cache := t.TempDir()
	if err := evict(filepath.Join(cache, "none"), 0, time.Now()); err != nil {
		t.Errorf("a cache that is not there yet: %v", err)
	}
	const (
		disk     = "disk-0123456789abcdef"
		image    = disk + "/image-0123456789abcdef"
		enrolled = image + "/enrolled-0123456789abcdef"
		upgraded = image + "/upgraded-0123456789abcdef"
		ended    = "new-123"                   // what a run that was ended left behind
		flat     = "disk-fedcba9876543210.raw" // a cache of before there were folders
		debs     = "debs"                      // apt's
	)
	now := time.Now()
	ago := func(hours int) time.Time { return now.Add(-time.Duration(hours) * time.Hour) }
	for _, f := range []struct {
		name      string
		kib, used int // hours ago
	}{
		{disk + "/disk.raw", 1000, 90}, {image + "/disk.qcow2", 100, 80},
		{enrolled + "/disk.qcow2", 900, 20}, {enrolled + "/tpm/state", 100, 20},
		{upgraded + "/disk.qcow2", 1000, 30},
		{ended + "/root.tar", 500, 25}, {flat, 500, 101}, {debs + "/kernel.deb", 1000, 102},
	} {
		path := filepath.Join(cache, f.name)
		write(t, path, make([]byte, f.kib<<10))
		setTime(t, path, ago(f.used))
	}
	if err := os.Truncate(filepath.Join(cache, disk, "disk.raw"), 1<<30); err != nil { // most of a disk is a hole
		t.Fatal(err)
	}
	setTime(t, filepath.Join(cache, disk, "disk.raw"), ago(90))
	setTime(t, filepath.Join(cache, ended), ago(25))
	setTime(t, filepath.Join(cache, image), now) // as when something in it was made or removed

	all := []string{disk, image, enrolled, upgraded, ended, flat, debs}
	for _, step := range []struct {
		limit int64 // in KiB
		gone  []string
	}{
		{5000, nil},
		{4000, []string{flat}},
		{3000, []string{flat, upgraded}},
		{2500, []string{flat, upgraded, ended}},
		{2000, []string{flat, upgraded, ended, enrolled}},
		{0, []string{flat, upgraded, ended, enrolled, image, disk}},
	} {
		if err := evict(cache, step.limit<<10, now.Add(-inUse)); err != nil {
			t.Fatal(err)
		}
		for _, name := range all {
			_, err := os.Stat(filepath.Join(cache, name))
			if gone := os.IsNotExist(err); gone != slices.Contains(step.gone, name) {
				t.Errorf("with a limit of %d KiB, %s is gone: %v", step.limit, name, gone)
			}
		}
	}
}

// What is used now stays, and what it begins as.
func TestTouch(t *testing.T) {
	cache := t.TempDir()
	enrolled := filepath.Join(cache, "disk-0123456789abcdef", "image-0123456789abcdef", "enrolled-0123456789abcdef")
	for dir, name := range map[string]string{
		filepath.Dir(filepath.Dir(enrolled)): firstDiskFile, filepath.Dir(enrolled): diskFile, enrolled: diskFile,
	} {
		write(t, filepath.Join(dir, name), make([]byte, 10<<10))
		setTime(t, filepath.Join(dir, name), time.Now().Add(-24*time.Hour))
	}
	if err := touch(enrolled); err != nil {
		t.Fatal(err)
	}
	if err := evict(cache, 0, time.Now().Add(-inUse)); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(enrolled); err != nil {
		t.Error(err)
	}
}

// The place of a folder may be taken, by another run.
func TestIntoCache(t *testing.T) {
	l := &laboratory{cache: filepath.Join(t.TempDir(), "cache")}
	place := filepath.Join(l.cache, "enrolled-0123456789abcdef")
	for _, text := range []string{"first", "second"} {
		dir, err := lab.NewFolder(l.cache)
		if err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(dir, diskFile), []byte(text))
		if err := l.intoCache(dir, place); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := os.ReadFile(filepath.Join(place, diskFile)); string(got) != "first" {
		t.Errorf("the place has %q, %v", got, err)
	}
}

func write(t *testing.T, path string, data []byte) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, data, 0o644); err != nil {
		t.Fatal(err)
	}
}

func setTime(t *testing.T, path string, when time.Time) {
	t.Helper()
	if err := os.Chtimes(path, when, when); err != nil {
		t.Fatal(err)
	}
}
