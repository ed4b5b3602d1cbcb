//go:build unix

package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"testing"
)

// The hooks keep systemd from rebooting by a drop-in. It goes before the reboot, and
// systemd is told.
func TestLiftGate(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "systemctl"), []byte("#!/bin/sh\necho \"$@\"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir)
	var out bytes.Buffer
	a, gate := &app{out: &out, err: &out}, filepath.Join(dir, "bootseal.conf")
	if err := a.liftGate(context.Background(), gate); err != nil || out.Len() > 0 {
		t.Errorf("without a gate: %v, %q", err, out.String())
	}
	if err := os.WriteFile(gate, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := a.liftGate(context.Background(), gate); err != nil || out.String() != "daemon-reload\n" {
		t.Errorf("%v, %q", err, out.String())
	}
	if _, err := os.Stat(gate); err == nil {
		t.Error("the gate is still there")
	}
}
