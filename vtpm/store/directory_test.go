package store_test

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/bootseal/bootseal/vtpm"
	"github.com/bootseal/bootseal/vtpm/store"
	"github.com/bootseal/bootseal/vtpm/vtpmtest"
)

var _ vtpm.Store = (*store.Directory)(nil)

func open(t *testing.T, dir string) *store.Directory {
	t.Helper()
	d, err := store.OpenDirectory(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	return d
}

// A committed change is there when the directory is opened again, and a deleted
// record is not.
func TestCommitSurvives(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "tpm")
	d := open(t, dir)
	for _, changes := range []map[string][]byte{
		{"a": []byte("1"), "b": []byte("2")},
		{"a": nil, "b": []byte("3"), "empty": {}},
	} {
		if err := d.Commit(changes); err != nil {
			t.Fatal(err)
		}
	}
	d.Close()
	records, err := open(t, dir).Load()
	if err != nil {
		t.Fatal(err)
	}
	if len(records) != 2 || string(records["b"]) != "3" || records["empty"] == nil {
		t.Errorf("records: %q", records)
	}
}

// Two users of one state would overwrite each other's changes.
func TestSecondUserIsRefused(t *testing.T) {
	dir := t.TempDir()
	open(t, dir)
	if _, err := store.OpenDirectory(dir); err == nil || !strings.Contains(err.Error(), "another process") {
		t.Errorf("second open: %v", err)
	}
}

// A damaged state is refused with a reason, and stays as it is: it may be all
// that is left of somebody's keys.
func TestDamageIsRefused(t *testing.T) {
	dir := t.TempDir()
	d := open(t, dir)
	if err := d.Commit(map[string][]byte{"record": []byte("value")}); err != nil {
		t.Fatal(err)
	}
	d.Close()
	path := filepath.Join(dir, "state")
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	end := bytes.LastIndexByte(good, 0xEB) + 1 // behind it is room for more
	for i := range end {
		if i%512 > 16 && i%512 < 507 && i%7 != 0 {
			continue // one bit of the records is as good as another
		}
		bad := bytes.Clone(good)
		bad[i] ^= 1
		refuse(t, dir, path, bad)
		refuse(t, dir, path, good[:i])
	}
	refuse(t, dir, path, good[:end])
	refuse(t, dir, path, good[:len(good)-512])
	refuse(t, dir, path, append(bytes.Clone(good), make([]byte, 512)...))
	refuse(t, dir, path, append(bytes.Clone(good[:len(good)-1]), 1))
}

func refuse(t *testing.T, dir, path string, bad []byte) {
	t.Helper()
	if err := os.WriteFile(path, bad, 0o600); err != nil {
		t.Fatal(err)
	}
	if d, err := store.OpenDirectory(dir); err == nil {
		d.Close()
		t.Fatalf("damaged state accepted: %q", bad)
	}
	if left, err := os.ReadFile(path); err != nil || !bytes.Equal(left, bad) {
		t.Fatalf("the damaged state was changed: %v", err)
	}
}

// In a directory that cannot be written, commits work while the file has room. Then
// they fail and lose nothing, and work again when the directory can be written.
func TestFailedCommitKeepsTheState(t *testing.T) {
	if os.Getuid() == 0 {
		t.Skip("root writes to read-only directories")
	}
	dir := t.TempDir()
	h := newHistory(open(t, dir))
	count := func(i int) error { return h.Commit(map[string][]byte{"a": []byte(strconv.Itoa(i))}) }
	if err := count(0); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o500); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.Chmod(dir, 0o700) })
	i, err := 1, error(nil)
	for ; err == nil && i < 1000; i++ {
		err = count(i)
	}
	if !errors.Is(err, fs.ErrPermission) {
		t.Fatalf("commit to a read-only directory: %v", err)
	}
	if records, _ := h.Load(); !same(records, h.last()) {
		t.Errorf("records: %q, want %q", records, h.last())
	}
	if err := os.Chmod(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := count(i); err != nil {
		t.Error(err)
	}
}

// A TPM opened again from its directory is the same TPM.
func TestTPMIsTheSame(t *testing.T) {
	dir := t.TempDir()
	d := open(t, dir)
	vtpmtest.OpenOptions(t, vtpm.Options{Store: d})
	first, _ := d.Load()
	d.Close()
	d = open(t, dir)
	vtpmtest.OpenOptions(t, vtpm.Options{Store: d})
	second, _ := d.Load()
	if !bytes.Equal(first["hierarchies"], second["hierarchies"]) {
		t.Error("the seeds changed")
	}
}
