package grub

import (
	"fmt"
	"strings"
)

// cmdline joins a loader's arguments as GRUB's lib/cmdline.c does: a backslash
// stands before quotes and backslashes, and quotes around what has blanks.
func (r *run) cmdline(args []string) string {
	var sb strings.Builder
	for i, arg := range args {
		if i > 0 {
			sb.WriteByte(' ')
		}
		quote := ""
		if strings.Contains(arg, " ") {
			quote = `"`
		}
		sb.WriteString(quote)
		for j := 0; j < len(arg); j++ {
			switch {
			case r.isHexEscape(arg, j):
				sb.WriteString(arg[j : j+4])
				j += 3
				continue
			case strings.IndexByte(`\'"`, arg[j]) >= 0:
				sb.WriteByte('\\')
			}
			sb.WriteByte(arg[j])
		}
		sb.WriteString(quote)
	}
	return sb.String()
}

// maxCmdline is what a kernel's command line may have in the loaders that leave
// out arguments that do not fit: 2,047 bytes less those for BOOT_IMAGE=.
const maxCmdline = 2036

// cmdLinux is linux and linuxefi.
func cmdLinux(r *run, c *call) (int, error) {
	r.verb = c.name
	if len(c.args) == 0 {
		return r.fail(errBadArgument, "filename expected"), nil
	}
	o, status, err := r.open(c.args[0], Kernel, false)
	if err != nil || status != ok {
		return status, err
	}
	if r.image.Dialect.TPM202 {
		r.measureFile(o, Kernel)
	}
	line := r.cmdline(c.args)
	if len(line) > maxCmdline {
		r.doubt(fmt.Sprintf("the command line has %d bytes, and GRUB leaves out what the kernel does not take", len(line)), 8, 9)
	}
	if err := r.measureString(KernelCmdline, line); err != nil {
		return 0, err
	}
	r.out.Boot = Boot{Command: c.name, Image: File{o.file.Device, clean(o.file.Path)}, Cmdline: line}
	return ok, nil
}

// cmdInitrd is initrd and initrdefi. newc:NAME:FILE puts a file into the archive
// under another name; the file is measured as it is.
func cmdInitrd(r *run, c *call) (int, error) {
	r.verb = c.name
	if len(c.args) == 0 {
		return r.fail(errBadArgument, "filename expected"), nil
	}
	if !strings.HasPrefix(r.out.Boot.Command, "linux") {
		return r.fail(errBadArgument, "you need to load the kernel first"), nil
	}
	var files []opened
	for _, name := range c.args {
		if rest, found := strings.CutPrefix(name, "newc:"); found && !r.image.Dialect.TPM202 {
			if _, file, found := strings.Cut(strings.TrimLeft(rest, "/"), ":"); found {
				name = file
			}
		}
		o, status, err := r.open(name, Initrd, false)
		if err != nil || status != ok {
			return status, err
		}
		files = append(files, o)
	}
	for _, o := range files {
		if r.image.Dialect.TPM202 {
			r.measureFile(o, Initrd)
		}
		r.out.Boot.Initrds = append(r.out.Boot.Initrds, File{o.file.Device, clean(o.file.Path)})
	}
	return ok, nil
}

// cmdMultiboot is multiboot and multiboot2.
func cmdMultiboot(r *run, c *call) (int, error) {
	args := c.args
	for len(args) > 0 && (args[0] == "--quirk-bad-kludge" || args[0] == "--quirk-modules-after-kernel") {
		args = args[1:]
	}
	return r.loadWith(c, args, KernelCmdline)
}

// cmdModule is module and module2, for a multiboot kernel.
func cmdModule(r *run, c *call) (int, error) {
	args := c.args
	if len(args) > 0 && args[0] == "--nounzip" {
		args = args[1:]
	}
	if !strings.HasPrefix(r.out.Boot.Command, "multiboot") {
		return r.fail(errBadArgument, "you need to load the kernel first"), nil
	}
	return r.loadWith(c, args, ModuleCmdline)
}

// loadWith opens a multiboot kernel or module and measures its command line,
// which does not begin with the file's name.
func (r *run) loadWith(c *call, args []string, k Kind) (int, error) {
	r.verb = c.name
	if len(args) == 0 {
		return r.fail(errBadArgument, "filename expected"), nil
	}
	role := Initrd
	if k == KernelCmdline {
		role = Kernel
	}
	o, status, err := r.open(args[0], role, false)
	if err != nil || status != ok {
		return status, err
	}
	if r.image.Dialect.TPM202 {
		r.doubt("how this GRUB measures multiboot kernels is not modeled", 8, 9)
	}
	line := r.cmdline(args[1:])
	if err := r.measureString(k, line); err != nil {
		return 0, err
	}
	f := File{o.file.Device, clean(o.file.Path)}
	if k == ModuleCmdline {
		r.out.Boot.Initrds = append(r.out.Boot.Initrds, f)
	} else {
		r.out.Boot = Boot{Command: c.name, Image: f, Cmdline: line}
	}
	return ok, nil
}

// cmdChainloader loads an EFI program. Its command line is not measured by GRUB.
func cmdChainloader(r *run, c *call) (int, error) {
	r.verb = c.name
	if len(c.args) == 0 {
		return r.fail(errBadArgument, "filename expected"), nil
	}
	o, status, err := r.open(c.args[0], Program, false)
	if err != nil || status != ok {
		return status, err
	}
	r.out.Boot = Boot{Command: c.name, Image: File{o.file.Device, clean(o.file.Path)}, Cmdline: strings.Join(c.args[1:], " ")}
	return ok, nil
}

func cmdDevicetree(r *run, c *call) (int, error) {
	if len(c.args) == 0 {
		return ok, nil
	}
	_, status, err := r.open(c.args[0], DeviceTree, false)
	return status, err
}

func cmdBoot(r *run, _ *call) (int, error) {
	if r.out.Boot.Command == "" {
		return r.fail(errNoKernel, "you need to load the kernel first"), nil
	}
	return ok, r.end(Booted)
}

// cmdFwsetup restarts into the firmware's setup, or tells whether that is possible.
func cmdFwsetup(r *run, c *call) (int, error) {
	if len(c.args) == 0 || c.args[0] != "--is-supported" {
		return ok, r.end(Reset)
	}
	if f, known := r.facts[AsksForSetup]; known {
		if f.False {
			return errTestFailure, nil
		}
		return ok, nil
	}
	if r.choices.pick(alternative{}, alternative{"the firmware's setup cannot be asked for", costHardware}) == 0 {
		return ok, nil
	}
	return errTestFailure, nil
}

func ends(e End) func(*run, *call) (int, error) {
	return func(r *run, _ *call) (int, error) { return ok, r.end(e) }
}
