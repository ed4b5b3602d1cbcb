package status

import (
	"fmt"
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
	if w.Entry == "" {
		return short(w.Name)
	}
	if why := condition(w.Name, w.Entry); why != "" {
		return w.Entry + ", " + why
	}
	return w.Entry
}

// condition is what stands in a way's name between the entry and the kernel, as "if recordfail
// is 1 in (hd0,gpt2)/grub/grubenv", "" for nothing but that somebody picks the entry: two ways may
// have the same one.
func condition(name, entry string) string {
	_, after, found := strings.Cut(name, entry+", if ")
	if !found {
		return ""
	}
	if i := strings.LastIndex(after, ", Linux"); i >= 0 {
		after = after[:i]
	}
	after = ", " + after
	for title := range strings.SplitSeq(entry, ">") {
		after = strings.Replace(after, fmt.Sprintf(", somebody picks %q in the menu", title), "", 1)
	}
	if after == "" {
		return ""
	}
	return "if " + strings.TrimPrefix(after, ", ")
}

// LoadOption is the firmware's entry that the way begins with.
func (w *Way) LoadOption() string {
	option, _, _ := strings.Cut(w.Name, ", ")
	return option
}
