package store_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/bootseal/bootseal/vtpm/store"
)

func openFile(t *testing.T, path string) *store.Directory {
	t.Helper()
	d, err := store.OpenFile(path, store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	return d
}

// States that are files in one directory are apart from each other, also when they are
// written anew, and a link stands for what it leads to.
func TestStatesAsFiles(t *testing.T) {
	dir := t.TempDir()
	path := func(name string) string { return filepath.Join(dir, name) }
	for round := range 300 { // some of them do not fit into the file
		for _, name := range []string{"vm0", "vm1"} {
			d := openFile(t, path(name))
			value := strings.Repeat(name, 100+round%2)
			if err := d.Commit(map[string][]byte{"name": []byte(value)}); err != nil {
				t.Fatal(err)
			}
			d.Close()
		}
	}
	if err := os.Symlink("vm0", path("link")); err != nil {
		t.Skip("there are no symbolic links: ", err)
	}
	for name, want := range map[string]string{"vm0": "vm0", "vm1": "vm1", "link": "vm0"} {
		d := openFile(t, path(name))
		records, err := d.Load()
		if err != nil || string(records["name"]) != strings.Repeat(want, 101) {
			t.Errorf("%s: %.9q, %v", name, records["name"], err)
		}
		if _, err := store.OpenFile(path(want), store.Options{}); err == nil || !strings.Contains(err.Error(), "another process") {
			t.Errorf("%s is opened twice: %v", want, err)
		}
		d.Close()
	}
	left, err := filepath.Glob(path("*"))
	if err != nil || len(left) != 5 {
		t.Errorf("the directory has %q", left)
	}
}

// What is no state is left alone.
func TestFileOfOthers(t *testing.T) {
	path := filepath.Join(t.TempDir(), "notes")
	for _, text := range []string{"", "notes"} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := store.OpenFile(path, store.Options{}); err == nil {
			t.Errorf("%q opens", text)
		}
		if now, err := os.ReadFile(path); err != nil || string(now) != text {
			t.Errorf("%q became %q, %v", text, now, err)
		}
	}
}
