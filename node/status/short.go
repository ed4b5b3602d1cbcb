package status

import (
	"regexp"
	"strings"
)

// loadOption is what a way's name begins with: the firmware's entry.
var loadOption = regexp.MustCompile(`^(Boot[0-9A-F]{4}\b[^,]*|fallback)$`)

// short leaves out of a way's name what tells a person nothing new: the firmware's
// load option and the boot loaders in front, and a kernel's version at the end that
// was there already. "Boot0002 UEFI Misc Device, shim, GRUB, Debian GNU/Linux, with
// Linux 6.1.0-56, Linux 6.1.0-56" becomes "Debian GNU/Linux, with Linux 6.1.0-56".
func short(name string) string {
	words := strings.Split(name, ", ")
	for len(words) > 1 && (loadOption.MatchString(words[0]) || words[0] == "shim" || words[0] == "GRUB" || words[0] == "systemd-boot") {
		words = words[1:]
	}
	last := len(words) - 1
	if before := strings.Join(words[:last], ", "); last > 0 && strings.HasSuffix(before, words[last]) {
		return before
	}
	return strings.Join(words, ", ")
}

// Title is what people call the way: the boot menu's entry, with what GRUB makes it depend
// on, or what is left of its name.
func (w *Way) Title() string {
	switch {
	case w.Entry == "":
		return short(w.Name)
	case len(w.If) > 0:
		return w.Entry + ", if " + strings.Join(w.If, ", ")
	}
	return w.Entry
}

// LoadOption is the firmware's entry that the way begins with.
func (w *Way) LoadOption() string {
	option, _, _ := strings.Cut(w.Name, ", ")
	return option
}
