package plan

import (
	"slices"
	"strings"

	"github.com/bootseal/bootseal/eventlog"
)

// AsksForShell returns the word of a boot's kernel command line by which the system, or
// its initial ramdisk, comes up with a root shell at the console instead of what was
// installed; "" if there is none. Boot menus have such entries ("recovery mode"), and
// whoever stands before the machine can choose them: a disk that opened for one would be
// theirs. Whether a password is asked for there is the distribution's matter, and one
// without a root password asks for none.
//
// It knows the command lines that GRUB and systemd-boot measure. A command line in a
// unified kernel image is part of what was signed.
func AsksForShell(log *eventlog.Log) string {
	for _, x := range eventlog.Explain(log) {
		s, ok := x.Body.(eventlog.BootString)
		if !ok || s.Source != eventlog.KernelCommand && s.Source != eventlog.LoadOptions {
			continue
		}
		for _, word := range strings.Fields(s.Text) {
			if givesShell(strings.Trim(word, `"'`)) {
				return word
			}
		}
	}
	return ""
}

// givesShell reports whether a kernel parameter leads to a shell (systemd(1), "KERNEL
// COMMAND LINE"; kernel-command-line(7); dracut.cmdline(7); initramfs-tools(7)).
func givesShell(word string) bool {
	name, value, hasValue := strings.Cut(word, "=")
	// systemd takes a hyphen and an underscore for the same.
	name = strings.ReplaceAll(name, "-", "_")
	switch strings.TrimPrefix(name, "rd.") {
	case "single", "s", "S", "1", "rescue", "emergency", "_b", "recovery":
		return !hasValue
	case "break", "shell", "systemd.debug_shell":
		return !slices.Contains([]string{"0", "no", "off", "false"}, value)
	case "systemd.unit":
		return slices.Contains([]string{"rescue.target", "emergency.target", "runlevel1.target"}, value)
	case "init", "rdinit":
		return !slices.Contains([]string{"/init", "/sbin/init", "/usr/sbin/init", "/lib/systemd/systemd", "/usr/lib/systemd/systemd"}, value)
	case "systemd.setenv":
		return strings.HasPrefix(value, "SYSTEMD_SULOGIN_FORCE=")
	}
	return name == "SYSTEMD_SULOGIN_FORCE"
}
