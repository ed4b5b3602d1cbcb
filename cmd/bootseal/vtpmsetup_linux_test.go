package main

import (
	"bytes"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/bootseal/bootseal/vtpm"
	"github.com/bootseal/bootseal/vtpm/store"
	"github.com/google/go-tpm/tpm2"
)

// setupArgs are the arguments that make a TPM with one key and two certificates.
func setupArgs(dir string, more ...string) []string {
	return append([]string{"vtpm", "setup", "--tpm2", "--tpmstate", filepath.Join(dir, "tpm"), "--ca", filepath.Join(dir, "ca"),
		"--ek1keyalgo", "secp384r1", "--create-ek-cert", "--create-platform-cert"}, more...)
}

// wantSetUp checks that the TPM in the directory has all that it was to be given.
func wantSetUp(t *testing.T, dir string) {
	t.Helper()
	state, err := store.OpenDirectory(filepath.Join(dir, "tpm"))
	if err != nil {
		t.Fatal(err)
	}
	defer state.Close()
	tpm, err := vtpm.New(vtpm.Options{Store: state})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := (tpm2.Startup{StartupType: tpm2.TPMSUClear}).Execute(tpm); err != nil {
		t.Fatal(err)
	}
	if _, err := (tpm2.ReadPublic{ObjectHandle: tpm2.TPMHandle(0x81010016)}).Execute(tpm); err != nil {
		t.Error(err)
	}
	for _, index := range []tpm2.TPMHandle{0x01C00016, 0x01C08000} {
		rsp, err := tpm2.NVReadPublic{NVIndex: index}.Execute(tpm)
		if err != nil {
			t.Errorf("NV index %#x: %v", index, err)
			continue
		}
		if p, err := rsp.NVPublic.Contents(); err != nil || !p.Attributes.Written {
			t.Errorf("NV index %#x was not written", index)
		}
	}
}

// A setup that is killed at any moment leaves no TPM or a whole one, and the next one,
// told not to overwrite, leaves a whole one.
func TestSetupKilled(t *testing.T) {
	if testing.Short() {
		t.Skip("starts many processes")
	}
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	program := filepath.Join(t.TempDir(), "bootseal") // by which name the test binary is the program
	if err := os.Symlink(exe, program); err != nil {
		t.Fatal(err)
	}
	killed, whole := 0, 0
	for wait := time.Duration(0); wait < 60*time.Millisecond; wait += 2 * time.Millisecond {
		dir := t.TempDir()
		first := exec.Command(program, setupArgs(dir)...)
		if err := first.Start(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(wait)
		if err := first.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
			t.Fatal(err)
		}
		if first.Wait() != nil {
			killed++
		}
		if (swtpmPlace{path: filepath.Join(dir, "tpm")}).there() {
			whole++
			wantSetUp(t, dir)
		}
		if out, err := exec.Command(program, setupArgs(dir, "--not-overwrite")...).CombinedOutput(); err != nil {
			t.Fatalf("after %v: %v: %s", wait, err, out)
		}
		wantSetUp(t, dir)
	}
	t.Logf("%d killed, %d of all left a whole TPM", killed, whole)
	if killed == 0 {
		t.Error("none was killed: the test shows nothing")
	}
}

// Setups at once make one TPM: the others find it in use, or there.
func TestSetupTogether(t *testing.T) {
	dir := t.TempDir()
	codes := make(chan int)
	const setups = 8
	for range setups {
		go func() { codes <- run(t.Context(), setupArgs(dir), nil, io.Discard, io.Discard) }()
	}
	made := 0
	for range setups {
		if <-codes == exitOK {
			made++
		}
	}
	if made != 1 {
		t.Errorf("%d setups made a TPM", made)
	}
	wantSetUp(t, dir)
}

// A full disk leaves no TPM and no CA, and says what it is. With room both are made.
func TestSetupFullDisk(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=1m,mode=0700"); err != nil {
		t.Skipf("needs root and the right to mount: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	ballast := filepath.Join(dir, "ballast")
	fill := func(leave int64) {
		t.Helper()
		if err := os.WriteFile(ballast, bytes.Repeat([]byte("x"), 2<<20), 0o600); !errors.Is(err, syscall.ENOSPC) {
			t.Fatalf("fill the disk: %v", err)
		}
		info, err := os.Stat(ballast)
		if err == nil {
			err = os.Truncate(ballast, info.Size()-leave)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	setup := func() (int, string) {
		var errOut strings.Builder
		return run(t.Context(), setupArgs(dir), nil, io.Discard, &errOut), errOut.String()
	}
	for _, leave := range []int64{0, 8 << 10, 40 << 10} {
		fill(leave)
		code, message := setup()
		if code != exitError || !strings.Contains(message, "no space left") {
			t.Errorf("with %d bytes: exit code %d, %s", leave, code, message)
		}
		if (swtpmPlace{path: filepath.Join(dir, "tpm")}).there() {
			t.Errorf("with %d bytes: there is a TPM", leave)
		}
	}
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	if code, message := setup(); code != exitOK {
		t.Fatalf("with room: exit code %d, %s", code, message)
	}
	wantSetUp(t, dir)
}
