// Package lab runs real machines: QEMU with OVMF, bootseal's own vTPM, and programs as Debian
// signs them, for end-to-end tests that nothing recorded can replace.
//
//	packages.go  Debian packages, unpacked below a cache
//	image.go     disk images with a GPT and an EFI system partition
//	initrd.go    initial ramdisks, with the guest's init in guest/
//	sign.go      unified kernel images, signatures, updates of dbx
//	bootoption.go  load options of the firmware
//	varstore.go  variables that only firmware can write, put into OVMF's store
//	bootdisk.go  a disk that boots a guest with a program of this module
//	vm.go        a machine that keeps its TPM and its variables from boot to boot
//	monitor.go   QEMU's monitor, and migrations
//
// Nothing needs root but what installs packages. Programs that are called: apt-get, apt-cache,
// dpkg, sgdisk, mkfs.fat, mtools, ldd, xz, objcopy, openssl, sbsigntool's, qemu-system-x86_64.
package lab

import (
	"context"
	"fmt"
	"os/exec"
	"strings"
)

// run runs a program, and has the end of what it wrote in the error.
func run(ctx context.Context, name string, args ...string) (string, error) {
	out, err := exec.CommandContext(ctx, name, args...).CombinedOutput()
	if err != nil {
		text := strings.TrimSpace(string(out))
		return "", fmt.Errorf("%s %s: %w: %s", name, strings.Join(args, " "), err, text[max(0, len(text)-500):])
	}
	return string(out), nil
}
