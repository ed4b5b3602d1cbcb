package main

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"
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

// A cache with a saved node, the hole of a disk, packages, and what a run that was ended left behind.
func TestEvict(t *testing.T) {
	cache := t.TempDir()
	if err := evict(filepath.Join(cache, "none"), 0, time.Now()); err != nil {
		t.Errorf("a cache that is not there yet: %v", err)
	}
	old := time.Now().Add(-24 * time.Hour)
	for name, size := range map[string]int{"enrolled-0123456789abcdef/memory": 100 << 10, "new-123/root.tar": 10, "debs/kernel.deb": 10} {
		path := filepath.Join(cache, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, make([]byte, size), 0o644); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(filepath.Dir(path), old, old); err != nil {
			t.Fatal(err)
		}
	}
	disk := filepath.Join(cache, "disk-0123456789abcdef.raw")
	if err := os.WriteFile(disk, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(disk, 1<<30); err != nil {
		t.Fatal(err)
	}
	there := func() (names []string) {
		entries, err := os.ReadDir(cache)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			names = append(names, e.Name())
		}
		return names
	}
	if err := evict(cache, 1<<20, time.Now()); err != nil || len(there()) != 4 {
		t.Errorf("a hole counts: %q are left, %v", there(), err)
	}
	if size, err := onDisk(filepath.Join(cache, "new-999")); size != 0 || err != nil {
		t.Errorf("what another run has removed takes %d bytes, %v", size, err)
	}
	if err := touch(disk); err != nil {
		t.Fatal(err)
	}
	if err := evict(cache, 0, time.Now().Add(-time.Hour)); err != nil || len(there()) != 2 {
		t.Errorf("the disk and the packages should be left, but it is %q, %v", there(), err)
	}
	if err := touch(filepath.Join(cache, "enrolled-0123456789abcdef")); err == nil {
		t.Error("what is gone can be used")
	}
}
