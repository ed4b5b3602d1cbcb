package grub

import "fmt"

// Kind is a kind of effect.
type Kind int

// What GRUB measures: three kinds of string in PCR 8, files in PCR 9.
const (
	// Command is a command after expansion: its words joined by one space.
	Command Kind = iota
	// KernelCmdline is the command line for a kernel, escaped.
	KernelCmdline
	// ModuleCmdline is the command line for a multiboot or Xen module, escaped.
	ModuleCmdline
	// Opened is a file that was opened; all of it was measured.
	Opened
)

// Role is what a file is opened for.
type Role string

// What files are opened for.
const (
	Script      Role = "script"
	Environment Role = "environment block"
	Module      Role = "module"
	ModuleList  Role = "list of modules"
	Font        Role = "font"
	Theme       Role = "theme"
	Picture     Role = "picture"
	Locale      Role = "message catalog"
	Kernel      Role = "kernel"
	Initrd      Role = "initial ramdisk"
	Program     Role = "EFI program"
	DeviceTree  Role = "device tree"
	Entry       Role = "boot loader entry"
	Data        Role = "data"
)

// Effect is one measurement.
type Effect struct {
	Kind Kind
	// Text is the string as it is hashed, or for files what the log shows: the name
	// as the script gave it, or in the 2.02 forks "grub_linuxefi Kernel" and the like.
	Text string
	// For Opened:
	File     File
	Role     Role
	Contents []byte // where GRUB itself changed the file before; else nil, and the World's holds
	// Where it comes from: the script's file and line; "" and 0 for GRUB itself.
	Script string
	Line   int
}

// PCR returns the register that the effect extends.
func (e *Effect) PCR() int {
	if e.Kind == Opened {
		return 9
	}
	return 8
}

// Where names the place in a script, for people.
func (e *Effect) Where() string {
	switch {
	case e.Script == "":
		return "GRUB"
	case e.Line == 0:
		return e.Script
	}
	return fmt.Sprintf("%s line %d", e.Script, e.Line)
}

// Event returns an effect as the log has it: the event's data, and what is
// hashed. For files hashed is e.Contents: nil stands for the file's bytes, before
// decompression.
func (d *Dialect) Event(e *Effect) (data, hashed []byte) {
	if e.Kind == Opened {
		return []byte(e.Text + "\x00"), e.Contents
	}
	prefix := map[Kind]string{Command: "grub_cmd: ", KernelCmdline: "kernel_cmdline: ", ModuleCmdline: "module_cmdline: "}
	if d.TPM202 {
		prefix = map[Kind]string{Command: "grub_cmd ", KernelCmdline: "grub_kernel_cmdline ", ModuleCmdline: "grub_kernel_cmdline "}
	}
	data, hashed = []byte(prefix[e.Kind]+e.Text+"\x00"), []byte(e.Text)
	if d.TPM202 && e.Kind == Command {
		hashed = append(hashed, 0)
	}
	return data, hashed
}
