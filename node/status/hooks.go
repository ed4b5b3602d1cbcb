package status

import (
	"io/fs"
	"slices"
	"strings"
)

// Hook is a place where a system lets others act on an update.
type Hook struct {
	What      string // "kernels"
	File      string // that bootseal's package puts there
	Installed bool
}

// places are where bootseal's package acts (docs/packages.md), each with a folder that
// only systems have which look there.
func places() []struct{ what, has, file string } {
	return []struct{ what, has, file string }{
		{"kernels", "etc/kernel/postinst.d", "etc/kernel/postinst.d/zzz-bootseal"},
		{"initial ramdisks", "etc/initramfs-tools", "etc/initramfs/post-update.d/zz-bootseal"},
		{"kernel-install", "usr/lib/kernel/install.d", "usr/lib/kernel/install.d/99-zz-bootseal.install"},
		{"apt", "etc/apt/apt.conf.d", "etc/apt/apt.conf.d/95bootseal"},
		{"dnf", "etc/dnf/plugins/post-transaction-actions.d", "etc/dnf/plugins/post-transaction-actions.d/bootseal.action"},
		{"dnf 5", "etc/dnf/libdnf5-plugins/actions.d", "etc/dnf/libdnf5-plugins/actions.d/bootseal.actions"},
		{"changes of /boot and UEFI variables", "usr/lib/systemd/system", "usr/lib/systemd/system/bootseal-reseal.path"},
	}
}

func readHooks(root fs.FS) []Hook {
	var out []Hook
	for _, p := range places() {
		if _, err := fs.Stat(root, p.has); err != nil {
			continue
		}
		_, err := fs.Stat(root, p.file)
		out = append(out, Hook{What: p.what, File: "/" + p.file, Installed: err == nil})
	}
	return out
}

// resealFailed is where the hooks leave the reason why a reseal failed.
const resealFailed = "run/bootseal/reseal-failed"

// Gate is a drop-in of reboot.target by which the hooks keep systemd from rebooting.
const Gate = "run/systemd/system/reboot.target.d/bootseal.conf"

// judgeHooks tells whether updates are followed by a reseal, and whether the last one
// was. That it failed says nothing about the next boot, which has a line of its own.
func judgeHooks(f *Facts) []Line {
	var lines []Line
	if f.ResealFailed != "" {
		said := strings.FieldsFunc(f.ResealFailed, func(r rune) bool { return r == '\n' })
		l := Line{What: "last reseal", Verdict: Warn, Says: strings.TrimPrefix(said[0], "bootseal: "), Remedy: "when what it says is mended: /usr/lib/bootseal/hook now"}
		for _, text := range said[1:min(len(said), 5)] {
			l.More = append(l.More, strings.TrimSpace(text))
		}
		lines = append(lines, l)
	}
	if f.Held {
		lines = append(lines, Line{What: "reboot", Verdict: Warn, Says: "systemd refuses it, because the next boot may not open a disk",
			Remedy: "/usr/lib/bootseal/hook now seals and lifts that; bootseal reboot does if the check says yes"})
	}
	if len(f.Hooks) == 0 {
		return lines
	}
	l := Line{What: "hooks", Verdict: OK}
	missing := slices.DeleteFunc(slices.Clone(f.Hooks), func(h Hook) bool { return h.Installed })
	switch {
	case len(missing) == len(f.Hooks):
		l.Verdict, l.Says = Warn, "none: after an update, somebody has to reseal before the reboot"
		l.Remedy = "install bootseal's package, which brings them"
	case len(missing) > 0:
		l.Verdict, l.Says = Warn, "some updates are not followed by a reseal"
		l.Remedy = "install bootseal's package again"
		for _, h := range missing {
			l.More = append(l.More, h.What+": "+h.File+" is not there")
		}
	default:
		var names []string
		for _, h := range f.Hooks {
			names = append(names, h.What)
		}
		l.Says = "a reseal follows " + joinAnd(names)
	}
	return append(lines, l)
}

// joinAnd joins words: "a, b and c".
func joinAnd(words []string) string {
	if len(words) < 2 {
		return strings.Join(words, "")
	}
	last := len(words) - 1
	return strings.Join(words[:last], ", ") + " and " + words[last]
}
