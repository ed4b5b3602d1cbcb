package lab

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// bootDiskOptions are the kernel's: see lab/predict.
const bootDiskOptions = "ro console=ttyS0,115200 panic=1 no_timer_check"

// BootDisk returns files for an [Image] on which shim, GRUB and the newest kernel of the
// distribution's series boot an [Initrd], with more files in it; and the packages they are of.
func BootDisk(ctx context.Context, cache string, more ...ArchiveFile) (map[string][]byte, []Package, error) {
	series, err := Apt{}.KernelSeries(ctx, CloudKernel)
	if err != nil {
		return nil, nil, err
	}
	kernels, err := Apt{}.Kernels(ctx, CloudFlavor, series)
	if err != nil {
		return nil, nil, err
	}
	if len(kernels) == 0 {
		return nil, nil, fmt.Errorf("apt knows no signed cloud kernel %s*", series)
	}
	var packages []Package
	for _, name := range []string{"shim-signed", "grub-efi-amd64-signed", kernels[len(kernels)-1]} {
		p, err := Apt{}.Unpack(ctx, cache, name)
		if err != nil {
			return nil, nil, err
		}
		packages = append(packages, p)
	}
	shim, grub, kernel := packages[0], packages[1], packages[2]
	images, err := filepath.Glob(filepath.Join(kernel.Root, "boot/vmlinuz-*"))
	if err != nil || len(images) != 1 {
		return nil, nil, fmt.Errorf("%s has %d kernels", kernel.Name, len(images))
	}
	initrd, err := Initrd(ctx, kernel)
	if err != nil {
		return nil, nil, err
	}
	second, err := Archive(more)
	if err != nil {
		return nil, nil, err
	}
	out := map[string][]byte{
		"/EFI/debian/grub.cfg": []byte("search.fs_uuid " + ESPUUID + " root\nset timeout=0\nmenuentry 'guest' {\n\tlinux /vmlinuz " +
			bootDiskOptions + "\n\tinitrd /initrd.img /more.img\n}\n"),
		"/initrd.img": initrd,
		"/more.img":   second,
	}
	for to, from := range map[string]string{
		"/EFI/BOOT/BOOTX64.EFI": filepath.Join(shim.Root, "usr/lib/shim/shimx64.efi.signed"),
		"/EFI/BOOT/grubx64.efi": filepath.Join(grub.Root, "usr/lib/grub/x86_64-efi-signed/grubx64.efi.signed"),
		"/vmlinuz":              images[0],
	} {
		if out[to], err = os.ReadFile(from); err != nil {
			return nil, nil, err
		}
	}
	return out, packages, nil
}

// Build builds a program of this module, linked statically, in a folder.
func Build(ctx context.Context, dir, pkg string) (path string, err error) {
	path = filepath.Join(dir, filepath.Base(pkg))
	c := exec.CommandContext(ctx, "go", "build", "-trimpath", "-ldflags", "-s -w", "-o", path, "github.com/bootseal/bootseal/"+pkg)
	c.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := c.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build %s: %w: %s", pkg, err, out)
	}
	return path, nil
}

// TPMGuest returns guest/tpm, a program that uses the guest's TPM, as a file of an initial ramdisk.
// Dir is for building it.
func TPMGuest(ctx context.Context, dir string) (ArchiveFile, error) {
	path, err := Build(ctx, dir, "lab/guest/tpm")
	if err != nil {
		return ArchiveFile{}, err
	}
	program, err := os.ReadFile(path)
	return ArchiveFile{Name: "tpm", Data: program, Mode: 0o755}, err
}
