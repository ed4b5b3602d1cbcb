//go:build unix

package main

import (
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// TestImportOfWhatSwtpmUses: a state that another process has locked, as swtpm does,
// is not imported: it is not yet what it will be. The other process is this one.
func TestImportOfWhatSwtpmUses(t *testing.T) {
	dir := t.TempDir()
	state, err := os.ReadFile("../../vtpm/swtpmstate/testdata/libtpms-0.9.2-asleep/tpm2-00.permall")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, swtpmFile), state, 0o600); err != nil {
		t.Fatal(err)
	}
	lock, err := os.Create(filepath.Join(dir, ".lock"))
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Close()
	if err := unix.FcntlFlock(lock.Fd(), unix.F_SETLK, &unix.Flock_t{Type: unix.F_WRLCK, Whence: io.SeekStart}); err != nil {
		t.Fatal(err)
	}
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	program := filepath.Join(dir, "bootseal") // TestMain makes it one by its name
	if err := os.Symlink(exe, program); err != nil {
		t.Fatal(err)
	}
	run := func() (string, error) {
		out, err := exec.Command(program, "vtpm", "import", "--from-swtpm", dir, "--dir", filepath.Join(dir, "new")).CombinedOutput()
		return string(out), err
	}
	if out, err := run(); err == nil || !strings.Contains(out, "swtpm is using it; shut the VM down first") {
		t.Errorf("%v: %s", err, out)
	}
	lock.Close()
	if out, err := run(); err != nil {
		t.Errorf("%v: %s", err, out)
	}
}
