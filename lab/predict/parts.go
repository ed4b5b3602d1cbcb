package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/bootseal/bootseal/lab"
	"github.com/bootseal/bootseal/lab/matrix"
)

// kernel is a kernel with an initial ramdisk of its own.
type kernel struct {
	Version       string // "6.1.0-56"
	Image, Initrd []byte
}

// parts are the programs that scenarios put on their disks.
type parts struct {
	Shim, GRUB []byte // signed by Microsoft, and by Debian
	Boot       []byte // systemd-boot, not signed
	stub       string // systemd-stub's file
	Old, New   kernel // signed by Debian
	// Next is a kernel of a newer series, with another EFI stub. Not every archive has one:
	// its Version is "" then.
	Next kernel
	// Extra is a second initial ramdisk, as for microcode or a driver.
	Extra  []byte
	signer *lab.Signer
	work   string

	// Versions of everything, by package.
	Versions []matrix.Version
}

// gather fetches the packages and makes what is made of them.
func gather(ctx context.Context, cache, work string, progress func(string)) (*parts, error) {
	p := &parts{work: work}
	for _, name := range []string{"qemu-system-x86", "ovmf", "busybox-static", "sbsigntool"} {
		v, err := lab.InstalledVersion(ctx, name)
		if err != nil {
			return nil, err
		}
		p.Versions = append(p.Versions, matrix.Version{Package: name, Version: v})
	}
	roots := make(map[string]string)
	for _, name := range []string{"shim-signed", "grub-efi-amd64-signed", "systemd-boot-efi"} {
		progress("package " + name)
		unpacked, err := lab.Apt{}.Unpack(ctx, cache, name)
		if err != nil {
			return nil, err
		}
		roots[name] = unpacked.Root
		p.Versions = append(p.Versions, matrix.Version{Package: name, Version: unpacked.Version})
	}
	p.stub = filepath.Join(roots["systemd-boot-efi"], "usr/lib/systemd/boot/efi/linuxx64.efi.stub")
	for _, f := range []struct {
		into *[]byte
		path string
	}{
		{&p.Shim, filepath.Join(roots["shim-signed"], "usr/lib/shim/shimx64.efi.signed")},
		{&p.GRUB, filepath.Join(roots["grub-efi-amd64-signed"], "usr/lib/grub/x86_64-efi-signed/grubx64.efi.signed")},
		{&p.Boot, filepath.Join(roots["systemd-boot-efi"], "usr/lib/systemd/boot/efi/systemd-bootx64.efi")},
	} {
		data, err := os.ReadFile(f.path)
		if err != nil {
			return nil, err
		}
		*f.into = data
	}
	if err := p.gatherKernels(ctx, cache, progress); err != nil {
		return nil, err
	}
	var err error
	if p.Extra, err = lab.Archive([]lab.ArchiveFile{{Name: "etc/extra.conf", Data: []byte("extra\n"), Mode: 0o644}}); err != nil {
		return nil, err
	}
	p.signer, err = lab.NewSigner(ctx, work)
	return p, err
}

// gatherKernels takes the two newest kernels of the distribution's series, and the newest of all.
func (p *parts) gatherKernels(ctx context.Context, cache string, progress func(string)) error {
	series, err := lab.Apt{}.KernelSeries(ctx, lab.CloudKernel)
	if err != nil {
		return err
	}
	names, err := lab.Apt{}.Kernels(ctx, lab.CloudFlavor, series)
	if err != nil {
		return err
	}
	if len(names) < 2 {
		return fmt.Errorf("apt knows %d signed cloud kernels %s*, and two are needed", len(names), series)
	}
	all, err := lab.Apt{}.Kernels(ctx, lab.CloudFlavor, "")
	if err != nil {
		return err
	}
	if newest := all[len(all)-1]; newest != names[len(names)-1] {
		if p.Next, err = p.gatherKernel(ctx, cache, newest, progress); err != nil {
			return err
		}
	}
	if p.Old, err = p.gatherKernel(ctx, cache, names[len(names)-2], progress); err != nil {
		return err
	}
	p.New, err = p.gatherKernel(ctx, cache, names[len(names)-1], progress)
	return err
}

func (p *parts) gatherKernel(ctx context.Context, cache, name string, progress func(string)) (kernel, error) {
	progress("package " + name)
	unpacked, err := lab.Apt{}.Unpack(ctx, cache, name)
	if err != nil {
		return kernel{}, err
	}
	p.Versions = append(p.Versions, matrix.Version{Package: name, Version: unpacked.Version})
	images, err := filepath.Glob(filepath.Join(unpacked.Root, "boot/vmlinuz-*"))
	if err != nil || len(images) != 1 {
		return kernel{}, fmt.Errorf("%s has %d kernels", name, len(images))
	}
	k := kernel{Version: filepath.Base(images[0])[len("vmlinuz-"):]}
	if k.Image, err = os.ReadFile(images[0]); err != nil {
		return k, err
	}
	k.Initrd, err = lab.Initrd(ctx, unpacked)
	return k, err
}

// sign signs a program with the test key that [lab.SnakeoilKeys] trust.
func (p *parts) sign(ctx context.Context, program []byte) ([]byte, error) {
	return p.signer.Program(ctx, program)
}

// signIfThere signs a program, and nothing as nothing.
func (p *parts) signIfThere(ctx context.Context, program []byte) ([]byte, error) {
	if program == nil {
		return nil, nil
	}
	return p.sign(ctx, program)
}

// uki makes a unified kernel image, not signed.
func (p *parts) uki(ctx context.Context, k kernel, commandLine string) ([]byte, error) {
	release := fmt.Sprintf("ID=debian\nPRETTY_NAME=\"Debian GNU/Linux\"\nVERSION_ID=\"%s\"\n", k.Version)
	return lab.UKI(ctx, p.work, p.stub, k.Image, k.Initrd, release, commandLine)
}
