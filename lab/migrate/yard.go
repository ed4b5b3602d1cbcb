package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"

	"github.com/bootseal/bootseal/lab"
)

// yard has what machines are made of, and everything that was started.
type yard struct {
	work, sockets   string
	bootseal        string // the program
	disk, variables string
	daemon          *tpm // `bootseal vtpm serve`
	machines, tpms  int
	ends            []func()
	versions        []version
	progress        func(string)
}

type version struct {
	Package string `json:"package"`
	Version string `json:"version"`
}

// onEnd has f run by close, the last first.
func (y *yard) onEnd(f func()) { y.ends = append(y.ends, f) }

// close ends what runs and removes all files but those in the work folder.
func (y *yard) close() error {
	for _, f := range slices.Backward(y.ends) {
		f()
	}
	y.ends = nil
	return os.RemoveAll(y.sockets)
}

// newYard makes a disk that boots the guest, and builds the programs.
func newYard(ctx context.Context, work, cache string, progress func(string)) (_ *yard, err error) {
	y := &yard{work: work, disk: filepath.Join(work, "disk.img"), progress: progress}
	if y.sockets, err = os.MkdirTemp("", "lab"); err != nil { // a socket's path has to be short
		return nil, err
	}
	progress("make a disk that boots a guest")
	files, err := y.files(ctx, cache)
	if err == nil {
		_, err = lab.CreateImage(ctx, y.disk, files)
	}
	if err == nil {
		progress("build bootseal")
		y.bootseal, err = lab.Build(ctx, work, "cmd/bootseal")
	}
	if err != nil {
		return nil, errors.Join(err, y.close())
	}
	return y, nil
}

// newMachine has variables of a machine that was never booted, for the machines that follow.
func (y *yard) newMachine(ctx context.Context) error {
	y.variables = filepath.Join(y.work, fmt.Sprintf("variables-%d.qcow2", y.machines))
	out, err := exec.CommandContext(ctx, "qemu-img", "convert", "-O", "qcow2", filepath.Join(lab.Firmware, string(lab.MicrosoftKeys)), y.variables).CombinedOutput()
	if err != nil {
		return fmt.Errorf("make the variable store (install qemu-utils, ovmf): %w: %s", err, out)
	}
	return nil
}

// files are a disk's that boots guest/tpm.
func (y *yard) files(ctx context.Context, cache string) (map[string][]byte, error) {
	for _, name := range []string{"qemu-system-x86", "ovmf", "busybox-static"} {
		v, err := lab.InstalledVersion(ctx, name)
		if err != nil {
			return nil, err
		}
		y.versions = append(y.versions, version{name, v})
	}
	guest, err := lab.TPMGuest(ctx, y.work)
	if err != nil {
		return nil, err
	}
	files, packages, err := lab.BootDisk(ctx, cache, guest)
	for _, p := range packages {
		y.versions = append(y.versions, version{p.Name, p.Version})
	}
	return files, err
}
