package eventlog

import (
	"fmt"
	"slices"
	"strings"
)

// BootString is an EV_IPL event: a string that a boot loader wrote about what it
// measured.
type BootString struct {
	Source BootSource `json:"source"`
	Text   string     `json:"text"` // without prefix and NUL
}

// BootSource says what a [BootString] is about, and so what its digest covers.
type BootSource string

// The sources. The first four hash the string itself, the others something that
// the string names.
const (
	GRUBCommand   BootSource = "grub-command"   // a command that GRUB ran
	KernelCommand BootSource = "kernel-cmdline" // GRUB: command line of the kernel
	ModuleCommand BootSource = "module-cmdline" // GRUB: command line of a module
	LoadOptions   BootSource = "load-options"   // systemd: command line of the kernel
	BootFile      BootSource = "file"           // GRUB: a file that was read
	MokVariable   BootSource = "mok"            // shim: a variable
	UKISection    BootSource = "uki-section"    // systemd-stub: a section's name, then its contents
	BootArchive   BootSource = "archive"        // systemd-stub: files packed for the initial ramdisk
	BootText      BootSource = "text"           // anything else
)

// grubPrefix cuts off GRUB's prefixes: the current ones, and those of old forks,
// which write no colon.
func grubPrefix(s string) (source BootSource, rest string, ok bool) {
	for _, p := range []struct {
		prefix string
		source BootSource
	}{
		{"grub_cmd: ", GRUBCommand},
		{"kernel_cmdline: ", KernelCommand},
		{"module_cmdline: ", ModuleCommand},
		{"grub_kernel_cmdline ", KernelCommand},
		{"grub_module_cmdline ", ModuleCommand},
		{"grub_cmd ", GRUBCommand},
	} {
		if rest, ok := strings.CutPrefix(s, p.prefix); ok {
			return p.source, rest, true
		}
	}
	return "", s, false
}

// isUKISection reports whether s is a section of a unified kernel image that
// systemd-stub measures (UAPI.5, "Unified Kernel Image").
func isUKISection(s string) bool {
	return slices.Contains([]string{".linux", ".osrel", ".cmdline", ".initrd", ".ucode", ".splash", ".dtb",
		".uname", ".sbat", ".pcrpkey", ".profile", ".dtbauto", ".hwids", ".efifw"}, s)
}

// isBootArchive reports whether s is a name under which systemd-stub measures
// an archive that it packs for the kernel: "Credentials initrd", "Global
// credentials initrd", "System extension initrd", ...
func isBootArchive(s string) bool {
	return strings.HasSuffix(s, " initrd") && !strings.Contains(s, "=")
}

func isMok(s string) bool { return strings.HasPrefix(s, "Mok") || s == "SbatLevel" }

// bootText decodes the two encodings that boot loaders use.
func bootText(data []byte) (string, bool) {
	if looksUTF16(data) {
		if s, ok := decodeUTF16(data); ok && isText(s) {
			return s, true
		}
	}
	s := trimNUL(data)
	return s, isText(s)
}

func decodeIPL(e *Event) Body {
	s, ok := bootText(e.Data)
	if !ok {
		// GRUB writes command lines in whatever encoding its script has, so bytes
		// that are not UTF-8 are no reason to lose the prefix.
		s = trimNUL(e.Data)
	}
	if source, rest, ok := grubPrefix(s); ok {
		return BootString{Source: source, Text: rest}
	}
	if !ok {
		return Opaque{What: "data from a boot loader", Size: len(e.Data)}
	}
	b := BootString{Source: BootText, Text: s}
	switch {
	case isUKISection(s) && e.PCR == 11:
		b.Source = UKISection
	case isBootArchive(s):
		b.Source = BootArchive
	case isMok(s):
		b.Source = MokVariable
	case (e.PCR == 12 || e.PCR == 8) && looksUTF16(e.Data):
		b.Source = LoadOptions
	case e.PCR == 9 && strings.ContainsAny(s, "/("):
		b.Source = BootFile
	}
	return b
}

// Kind returns "boot-string".
func (BootString) Kind() string { return "boot-string" }

// String explains the source.
func (b BootString) String() string {
	switch b.Source {
	case GRUBCommand:
		most := maxWords
		if word, _, _ := strings.Cut(b.Text, " "); strings.HasPrefix(word, "linux") {
			most = maxCommandLine
		}
		return "GRUB ran: " + quoteUpTo(b.Text, most)
	case KernelCommand:
		return "GRUB set the kernel command line: " + quoteUpTo(b.Text, maxCommandLine)
	case ModuleCommand:
		return "GRUB set a module's command line: " + quote(b.Text)
	case LoadOptions:
		return "kernel command line: " + quoteUpTo(b.Text, maxCommandLine)
	case BootFile:
		return "GRUB read the file " + quote(b.Text)
	case MokVariable:
		return mokText(b.Text)
	case UKISection:
		return fmt.Sprintf("unified kernel image, section %s (%s)", b.Text, sectionText(b.Text))
	case BootArchive:
		return "files added to the initial ramdisk: " + quote(b.Text)
	}
	return "boot loader: " + quote(b.Text)
}

func mokText(name string) string {
	switch name {
	case "MokList":
		return "shim: keys that the owner of the machine trusts (MokList)"
	case "MokListX":
		return "shim: keys and hashes that are forbidden (MokListX)"
	case "MokListTrusted":
		return "shim: whether the kernel may trust the owner's keys (MokListTrusted)"
	case "MokSBState":
		return "shim: whether it checks signatures (MokSBState)"
	case "MokPolicy":
		return "shim: policy set by the owner (MokPolicy)"
	}
	return "shim: variable " + quote(name)
}

func sectionText(name string) string {
	switch name {
	case ".linux":
		return "the kernel"
	case ".osrel":
		return "name and version of the system"
	case ".cmdline":
		return "the kernel command line"
	case ".initrd":
		return "the initial ramdisk"
	case ".ucode":
		return "processor microcode"
	case ".splash":
		return "the picture shown at boot"
	case ".dtb", ".dtbauto":
		return "a device tree"
	case ".uname":
		return "the kernel's version"
	case ".sbat":
		return "generation numbers for revocation"
	case ".pcrpkey":
		return "the key that signs PCR policies"
	case ".profile":
		return "a boot profile"
	case ".hwids":
		return "identifiers of supported hardware"
	case ".efifw":
		return "a firmware image"
	}
	return "other data"
}
