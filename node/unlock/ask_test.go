package unlock_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/bootseal/bootseal/node/unlock"
)

func program(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "askpass")
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+text), 0o700); err != nil {
		t.Fatal(err)
	}
	return path
}

// Debian's askpass and systemd's have the prompt as an argument, plymouth in an option.
func TestPrograms(t *testing.T) {
	for _, c := range []struct {
		ask  unlock.Program
		want string
	}{
		{unlock.Program{Path: program(t, `printf '%s|' "$@"`)}, "Key: |"},
		{unlock.Program{Path: program(t, `printf '%s|\n' "$@"`), Args: []string{"--timeout=0"}}, "--timeout=0|\nKey: |"},
		{unlock.Program{Path: program(t, `printf '%s|' "$@"`), Args: []string{"ask-for-password", "--prompt="}, Joined: true}, "ask-for-password|--prompt=Key: |"},
		{unlock.Program{Path: program(t, `echo secret`)}, "secret"},
		{unlock.Program{Path: program(t, `printf 'a secret '`)}, "a secret "},
	} {
		for range 2 { // a Program is not changed by asking
			got, err := c.ask.Ask(t.Context(), "Key: ")
			if err != nil || string(got) != c.want {
				t.Errorf("%q, %v: want %q", got, err, c.want)
			}
		}
	}
	for text, says := range map[string]string{
		"exit 1":                        "nobody answers",
		"exec head -c 5000 /dev/zero":   "an answer of 5000 bytes",
		"exec head -c 100000 /dev/zero": "nobody answers",
	} {
		if got, err := (unlock.Program{Path: program(t, text)}).Ask(t.Context(), ""); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %d bytes, %v", text, len(got), err)
		}
	}
	if _, err := (unlock.Program{Path: "/nonexistent"}).Ask(t.Context(), ""); !errors.Is(err, unlock.ErrNoAnswer) {
		t.Error(err)
	}
}

func TestLines(t *testing.T) {
	l := unlock.NewLines(strings.NewReader("one\r\n\nthree"))
	for _, want := range []string{"one", "", "three"} {
		if got, err := l.Ask(t.Context(), ""); err != nil || string(got) != want {
			t.Errorf("%q, %v: want %q", got, err, want)
		}
	}
	if _, err := l.Ask(t.Context(), ""); !errors.Is(err, unlock.ErrNoAnswer) {
		t.Error(err)
	}
	if _, err := unlock.NewLines(bytes.NewReader(make([]byte, 1<<20))).Ask(t.Context(), ""); err == nil || errors.Is(err, unlock.ErrNoAnswer) {
		t.Errorf("a megabyte: %v", err)
	}
}
