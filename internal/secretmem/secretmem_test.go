package secretmem

import (
	"bytes"
	"os"
	"os/exec"
	"strings"
	"testing"
)

func TestOutput(t *testing.T) {
	o := new(Output)
	cmd := exec.Command("/bin/sh", "-c", "printf one; printf two")
	cmd.Stdout = o
	if err := cmd.Run(); err != nil || string(o.Bytes()) != "onetwo" {
		t.Errorf("%q, %v", o.Bytes(), err)
	}
	if n, err := o.Write([]byte("three")); n != 5 || err != nil || string(o.Bytes()) != "onetwothree" {
		t.Errorf("%q, %v", o.Bytes(), err)
	}
	o.Clear()
	if len(o.Bytes()) != 0 || !bytes.Equal(o.buf[:], make([]byte, len(o.buf))) {
		t.Error("it is not cleared")
	}
}

func TestOutputIsBounded(t *testing.T) {
	o := new(Output)
	if _, err := o.ReadFrom(strings.NewReader(strings.Repeat("x", 1<<20))); err == nil {
		t.Error("a megabyte was taken")
	}
	if n, err := o.Write([]byte("y")); n != 0 || err == nil {
		t.Errorf("%d bytes more, %v", n, err)
	}
}

// In a process of its own: it cannot be undone.
func TestProtect(t *testing.T) {
	if os.Getenv("PROTECT") != "" {
		Protect()
		status, _ := os.ReadFile("/proc/self/status")
		limits, _ := os.ReadFile("/proc/self/limits")
		os.Stdout.Write(append(status, limits...))
		os.Exit(0)
	}
	cmd := exec.Command(os.Args[0], "-test.run", "TestProtect")
	cmd.Env = append(os.Environ(), "PROTECT=1")
	out, err := cmd.Output()
	if err != nil || len(out) == 0 {
		t.Skipf("this system has no /proc: %v", err)
	}
	for line := range strings.Lines(string(out)) {
		if f := strings.Fields(line); strings.HasPrefix(line, "Max core file size") && (f[4] != "0" || f[5] != "0") {
			t.Error(line)
		}
		if strings.HasPrefix(line, "VmLck:") && strings.Contains(line, "\t       0 kB") && mayLock() {
			t.Error("no memory is locked: ", line)
		}
	}
}
