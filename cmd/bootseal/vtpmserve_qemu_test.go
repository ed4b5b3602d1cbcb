//go:build linux

package main

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/bootseal/bootseal/vtpm/server/host"
)

// A hosted vTPM outlives its VMs: QEMU's firmware uses it, and after QEMU was killed the
// next one's does.
func TestServeQEMU(t *testing.T) {
	if testing.Short() {
		t.Skip("boots firmware")
	}
	qemu, err := exec.LookPath("qemu-system-x86_64")
	if err != nil {
		t.Skip("needs qemu-system-x86_64: apt-get install qemu-system-x86")
	}
	dir, err := os.MkdirTemp("", "qemu")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	h, err := host.Open(filepath.Join(dir, "d"), host.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := h.Close(context.Background()); err != nil {
			t.Error(err)
		}
	}()
	info, err := h.Create(t.Context(), "vm0", host.Spec{Start: true})
	if err != nil {
		t.Fatal(err)
	}
	executed := uint64(0)
	for _, device := range []string{"tpm-crb", "tpm-tis"} {
		vm := exec.CommandContext(t.Context(), qemu, "-machine", "q35,accel=tcg", "-m", "64", "-display", "none", "-nodefaults",
			"-chardev", "socket,id=tpm,path="+info.Control, "-tpmdev", "emulator,id=tpm0,chardev=tpm", "-device", device+",tpmdev=tpm0")
		vm.Stderr = os.Stderr
		if err := vm.Start(); err != nil {
			t.Fatal(err)
		}
		// SeaBIOS starts the TPM up and asks for its capabilities.
		for deadline := time.Now().Add(time.Minute); ; time.Sleep(20 * time.Millisecond) {
			if info, err = h.Show("vm0"); err != nil {
				t.Fatal(err)
			}
			if info.Commands >= executed+3 {
				break
			}
			if time.Now().After(deadline) {
				t.Fatalf("%s: the firmware sent %d commands", device, info.Commands-executed)
			}
		}
		executed = info.Commands
		if info.Clients == 0 {
			t.Errorf("%s: no client is there while QEMU runs", device)
		}
		if err := vm.Process.Kill(); err != nil {
			t.Error(err)
		}
		vm.Wait()
		for deadline := time.Now().Add(time.Minute); info.Clients > 0 && time.Now().Before(deadline); time.Sleep(time.Millisecond) {
			if info, err = h.Show("vm0"); err != nil {
				t.Fatal(err)
			}
		}
		if info.State != host.StateRunning || info.Clients != 0 {
			t.Errorf("%s: after QEMU was killed: %+v", device, info)
		}
	}
}
