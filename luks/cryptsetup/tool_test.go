package cryptsetup

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// script is a program in cryptsetup's place.
func script(t *testing.T, text string) *Tool {
	t.Helper()
	path := filepath.Join(t.TempDir(), "cryptsetup")
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+text), 0o700); err != nil {
		t.Fatal(err)
	}
	return &Tool{Path: path}
}

// Whoever lists processes sees arguments and environments.
func TestSecretsAreInPipesOnly(t *testing.T) {
	v := volume(t)
	seen := filepath.Join(t.TempDir(), "seen")
	t.Setenv("NOT_FOR_CRYPTSETUP", "x")
	v.tool = script(t, fmt.Sprintf("{ echo \"$@\"; env; } >>'%s'\nexec '%s' \"$@\"\n", seen, v.tool.Path))
	added := []byte("another passphrase")
	if _, err := v.AddKey(t.Context(), passphrase, added, Quick); err != nil {
		t.Fatal(err)
	}
	if err := v.KillSlot(t.Context(), 1, passphrase); err != nil {
		t.Fatal(err)
	}
	log, err := os.ReadFile(seen)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"luksAddKey --key-slot 1 --key-file /proc/self/fd/3 --pbkdf pbkdf2", "luksKillSlot", "LC_ALL=C"} {
		if !strings.Contains(string(log), want) {
			t.Errorf("%q was not seen in:\n%s", want, log)
		}
	}
	for _, secret := range [][]byte{added, []byte("correct horse"), []byte("NOT_FOR_CRYPTSETUP")} {
		if bytes.Contains(log, secret) {
			t.Errorf("%q was seen in:\n%s", secret, log)
		}
	}
}

// A cryptsetup that says it has done what it has not.
func TestChangesAreReadBack(t *testing.T) {
	v := volume(t)
	if _, err := v.ImportToken(t.Context(), token(t, 0)); err != nil {
		t.Fatal(err)
	}
	if _, err := v.AddKey(t.Context(), passphrase, []byte("another"), Quick); err != nil {
		t.Fatal(err)
	}
	v.tool = script(t, "exit 0\n")
	if err := v.KillSlot(t.Context(), 1, passphrase); err == nil || !strings.Contains(err.Error(), "the keyslot is still there") {
		t.Error(err)
	}
	if err := v.RemoveToken(t.Context(), 0); err == nil || !strings.Contains(err.Error(), "it is still there") {
		t.Error(err)
	}
	if _, err := v.ImportToken(t.Context(), token(t, 0)); err == nil || !strings.Contains(err.Error(), "another token") {
		t.Error(err)
	}
	if err := v.BackupHeader(t.Context(), filepath.Join(t.TempDir(), "header")); !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
}

func TestARunThatHangsIsEnded(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err := script(t, "exec sleep 300\n").run(ctx, call{action: "wait"})
	if !errors.Is(err, context.DeadlineExceeded) || !strings.HasPrefix(err.Error(), "wait: ") {
		t.Error(err)
	}
}

func TestErrorsSayWhatCryptsetupSaid(t *testing.T) {
	for _, c := range []struct{ script, want string }{
		{"echo 'WARNING: never mind' >&2; echo 'No usable keyslot.' >&2; exit 1", "try: cryptsetup refuses: No usable keyslot"},
		{"echo 'No key available with this passphrase.' >&2; exit 2", "try: no keyslot opens with this passphrase"},
		{"printf 'Usage: cryptsetup [OPTION...]\\nbad: Option --x is not allowed\\n' >&2; exit 1", "try: cryptsetup refuses: bad: Option --x is not allowed"},
		{"exit 5", "try: the device is in use by another program"},
		{"printf 'a\\033[2Jb\\n' >&2; exit 4", "try: cryptsetup cannot use the device: a?[2Jb"},
		{"exit 77", "try: cryptsetup ended with status 77"},
	} {
		if _, err := script(t, c.script).run(t.Context(), call{action: "try"}); err == nil || err.Error() != c.want {
			t.Errorf("%s: %v", c.script, err)
		}
	}
	gone := &Tool{Path: filepath.Join(t.TempDir(), "gone")}
	if _, err := gone.run(t.Context(), call{action: "try"}); !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
}
