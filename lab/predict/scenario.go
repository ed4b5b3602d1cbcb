package main

import (
	"context"
	"encoding/base64"
	"fmt"

	"github.com/bootseal/bootseal/internal/efivars"
	"github.com/bootseal/bootseal/lab"
)

// files are files by their path on the EFI system partition.
type files map[string][]byte

// scenario is a machine that is booted, changed, and booted again and again.
type scenario struct {
	Name      string // what -run looks at: "grub-menu"
	Chain     string // in words, the matrix's heading
	Variables lab.Variables
	Files     files // on the disk of the first boot
	Steps     []step
}

// step is a change and the boot after it, which is predicted. The empty one changes nothing.
type step struct {
	Change string // in words, the matrix's row
	// Guest is a script that the guest runs at the end of the boot before: see guest/init.
	Guest string
	// Put are files that are written, Remove such as are removed.
	Put    files
	Remove []string
	// Partition are flags for sgdisk.
	Partition []string
	// Enroll is a certificate that shim's MokManager adds.
	Enroll []byte
}

// withKernel returns the steps if there is such a kernel.
func withKernel(k kernel, steps ...step) []step {
	if k.Version == "" {
		return nil
	}
	return steps
}

// apply changes a machine, which is off, and its disk.
func (s step) apply(ctx context.Context, m *lab.Machine, disk lab.Image) error {
	if err := disk.Remove(ctx, s.Remove...); err != nil {
		return err
	}
	if err := disk.Put(ctx, s.Put); err != nil {
		return err
	}
	if len(s.Partition) > 0 {
		if err := disk.Partition(ctx, s.Partition...); err != nil {
			return err
		}
	}
	if s.Enroll == nil {
		return nil
	}
	return m.EnrollMOK(s.Enroll)
}

// setvar is a line of a guest's script that writes a variable, given with its attributes.
func setvar(name, vendor string, contents []byte) string {
	return fmt.Sprintf("setvar %s-%s %s\n", name, vendor, base64.StdEncoding.EncodeToString(contents))
}

// inOrder is a line of a guest's script that puts a boot option before the others or behind
// them. BootOrder has four bytes of attributes, then two for each option.
func inOrder(number byte, first bool) string {
	order := "$vars/BootOrder-" + efivars.Global
	option := fmt.Sprintf(`busybox printf '\%03o\0'`, number)
	if first {
		return fmt.Sprintf("{ busybox head -c 4 %s; %s; busybox tail -c +5 %[1]s; } >/tmp/order; busybox cat /tmp/order >%[1]s\n", order, option)
	}
	return fmt.Sprintf("{ busybox cat %s; %s; } >/tmp/order; busybox cat /tmp/order >%[1]s\n", order, option)
}
