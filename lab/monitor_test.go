package lab

import (
	"net"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// QEMU is spoken to without a machine in it.
func TestMonitor(t *testing.T) {
	qemu, err := exec.LookPath("qemu-system-x86_64")
	if err != nil {
		t.Skip("needs qemu-system-x86_64: apt-get install qemu-system-x86")
	}
	l, err := net.Listen("unix", filepath.Join(t.TempDir(), "qmp"))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	c := exec.CommandContext(t.Context(), qemu, "-machine", "none", "-nodefaults", "-display", "none", "-S",
		"-chardev", "socket,id=qmp,path="+l.Addr().String(), "-mon", "chardev=qmp,mode=control")
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	m, err := AcceptMonitor(l)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	if s, err := m.Status(); err != nil || s != "prelaunch" {
		t.Errorf("status %q, %v", s, err)
	}
	if err := m.Do("no-such-command", nil, nil); err == nil || !strings.Contains(err.Error(), "no-such-command") {
		t.Errorf("a command that there is not: %v", err)
	}
	if err := m.Line("loadvm nothing"); err == nil {
		t.Error("what the monitor prints is no error")
	}
	if err := m.Line("cont"); err != nil { // with an event
		t.Error(err)
	}
	if err := m.Do("quit", nil, nil); err != nil {
		t.Error(err)
	}
	c.Wait()
	if _, err := m.Status(); err == nil {
		t.Error("QEMU has ended, and answers")
	}
}
