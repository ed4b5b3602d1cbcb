package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/bootseal/bootseal/internal/atomicfile"
	"github.com/bootseal/bootseal/lab"
)

// newNode makes the first state: a disk that was never booted, an unused TPM, and Microsoft's keys
// in the firmware. Shim trusts one more key, as on a machine with a driver of its own (MOK): the
// test key of Debian's ovmf, with which a scenario signs a boot loader that it changed.
func (l *laboratory) newNode(ctx context.Context, disk, dir string) error {
	work, err := lab.NewFolder(l.cache)
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)
	m, err := lab.NewMachine(work, lab.MicrosoftKeys)
	if err != nil {
		return err
	}
	if err := overlay(ctx, disk, "raw", work); err != nil {
		return err
	}
	certificate, err := lab.SnakeoilCertificate()
	if err != nil {
		return err
	}
	if err := m.EnrollMOK(certificate); err != nil {
		return err
	}
	return l.intoCache(work, dir)
}

// changedGRUB returns a file with the node's GRUB, one byte of whose greeting is changed, signed
// with the key that shim trusts: it starts, and it is another program. Signatures have a time, so
// the file is kept.
func (l *laboratory) changedGRUB(ctx context.Context, r *release) (string, error) {
	path := filepath.Join(filepath.Dir(r.disk), "grub-changed.efi")
	if _, err := os.Stat(path); err == nil {
		return path, nil
	}
	grub, err := exec.CommandContext(ctx, "mcopy", "-i", fmt.Sprintf("%s@@%d", r.disk, espAt*mib), "::/EFI/BOOT/grubx64.efi", "-").Output()
	if err != nil {
		return "", fmt.Errorf("read the node's GRUB: %w", err)
	}
	at := bytes.Index(grub, []byte(r.Greeting))
	if at < 0 {
		return "", errors.New("the node's GRUB does not greet with " + r.Greeting)
	}
	grub[at] ^= 0x20 // another case
	signer, err := lab.NewSigner(ctx, filepath.Join(l.work, "signer"))
	if err != nil {
		return "", err
	}
	if grub, err = signer.Program(ctx, grub); err != nil {
		return "", err
	}
	return path, atomicfile.Write(path, grub, 0o644)
}
