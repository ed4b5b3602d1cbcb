package atomicfile

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

func content(t *testing.T, path, want string) {
	t.Helper()
	got, err := os.ReadFile(path)
	if err != nil || string(got) != want {
		t.Errorf("%s: %q, %v, want %q", path, got, err, want)
	}
}

func TestWriteReplaces(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	for _, want := range []string{"one", "another"} {
		if err := Write(path, []byte(want), 0o600); err != nil {
			t.Fatal(err)
		}
		content(t, path, want)
	}
	if info, err := os.Stat(path); err != nil || info.Mode() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	onlyFile(t, path)
}

func TestCreateKeepsWhatIsThere(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	if err := Create(path, []byte("one"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := Create(path, []byte("another"), 0o644); !errors.Is(err, fs.ErrExist) {
		t.Errorf("over another file: %v", err)
	}
	content(t, path, "one")
	onlyFile(t, path)
}

// A file that cannot take its place leaves nothing behind.
func TestFailureLeavesNothing(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "a directory")
	if err := os.MkdirAll(filepath.Join(path, "full"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := Write(path, []byte("x"), 0o600); err == nil {
		t.Error("a file replaced a directory")
	}
	onlyFile(t, path)
	if err := Write(filepath.Join(dir, "missing", "file"), nil, 0o600); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("in a directory that is not there: %v", err)
	}
}

func TestRemove(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	if err := Write(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := Remove(path); err != nil {
			t.Error(err)
		}
	}
}

// onlyFile demands that nothing else is in the file's directory.
func onlyFile(t *testing.T, path string) {
	t.Helper()
	list, err := os.ReadDir(filepath.Dir(path))
	if err != nil || len(list) != 1 {
		t.Errorf("in %s: %v, %v", filepath.Dir(path), list, err)
	}
}

// What FAT gives a file is enough where others may not do more than was asked for.
func TestClosedEnough(t *testing.T) {
	for _, c := range []struct {
		have, want fs.FileMode
		ok         bool
	}{
		{0o700, 0o644, true}, {0o700, 0o600, true}, {0o755, 0o600, false}, {0o755, 0o644, false}, {0o644, 0o644, true},
	} {
		if closedEnough(c.have, c.want) != c.ok {
			t.Errorf("%o for %o: want %v", c.have, c.want, c.ok)
		}
	}
}
