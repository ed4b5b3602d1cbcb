package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// guestAt is a machine at whose serial port a guest says this.
func guestAt(t *testing.T, says string) *machine {
	t.Helper()
	host, guest := net.Pipe()
	t.Cleanup(func() { host.Close(); guest.Close() })
	go func() {
		bufio.NewReader(guest).ReadString('\n')
		guest.Write([]byte(says))
	}()
	return &machine{port: host, lines: bufio.NewScanner(host), ended: make(chan struct{})}
}

// What the guest finds wrong is told apart from a guest that does not answer.
func TestAsk(t *testing.T) {
	a, err := guestAt(t, "noise\r\n{\"pcrs\":[\"sha256 0 00\"],\"commands\":7}\r\n").ask(t.Context(), "check")
	if err != nil || a.Commands != 7 || len(a.PCRs) != 1 {
		t.Errorf("%+v, %v", a, err)
	}
	var w wrong
	if _, err := guestAt(t, "{\"error\":\"the key: gone\"}\n").ask(t.Context(), "check"); !errors.As(err, &w) || w != "the key: gone" {
		t.Errorf("a guest that found something: %v", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if _, err := guestAt(t, "nothing more").ask(ctx, "check"); errors.As(err, &w) || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a guest that does not answer: %v", err)
	}
}

func TestSamePCRs(t *testing.T) {
	j := &journey{pcrs: []string{"sha256 0 aa", "sha256 1 bb"}}
	if err := j.samePCRs([]string{"sha256 0 aa", "sha256 1 bb"}); err != nil {
		t.Error(err)
	}
	for _, other := range [][]string{{"sha256 0 aa", "sha256 1 cc"}, {"sha256 0 aa"}, {"sha256 0 aa", "sha256 1 bb", "sha256 2 cc"}, nil} {
		if j.samePCRs(other) == nil {
			t.Errorf("%q is the same", other)
		}
	}
}

func TestChosen(t *testing.T) {
	if list, err := (flags{run: "^swtpm$"}).chosen(); err != nil || len(list) != 1 {
		t.Errorf("%d scenarios, %v", len(list), err)
	}
	for _, run := range []string{"nothing", "("} {
		if _, err := (flags{run: run}).chosen(); err == nil {
			t.Errorf("-run %s was taken", run)
		}
	}
	var out bytes.Buffer
	printList(&out, scenarios())
	if !strings.Contains(out.String(), "  live, ") {
		t.Errorf("the list: %s", out.String())
	}
}

// Of a failure the consoles and logs are kept, and a sentence.
func TestKeepLogs(t *testing.T) {
	y := &yard{work: t.TempDir()}
	for _, name := range []string{"machine-1.console", "tpm-1.log", "disk.img"} {
		if err := os.WriteFile(filepath.Join(y.work, name), []byte(name), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	kept, err := y.keepLogs(filepath.Join(t.TempDir(), "vtpm"), wrong("the key: gone"))
	if err != nil {
		t.Fatal(err)
	}
	names, err := filepath.Glob(filepath.Join(kept, "*"))
	if err != nil || len(names) != 3 {
		t.Errorf("kept %q, %v", names, err)
	}
	if what, err := os.ReadFile(filepath.Join(kept, "what.txt")); err != nil || string(what) != "the key: gone\n" {
		t.Errorf("%q, %v", what, err)
	}
}
