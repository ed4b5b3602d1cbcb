package status

import (
	"io/fs"
	"strings"
)

// Hook is a place where a system lets others act on an update.
type Hook struct {
	What      string // "kernel updates"
	File      string // that bootseal's package puts there
	Installed bool
}

// places are where bootseal's package acts, each with a folder that only systems have
// which look there.
func places() []struct{ what, has, file string } {
	return []struct{ what, has, file string }{
		{"kernel updates", "etc/kernel/postinst.d", "etc/kernel/postinst.d/zz-bootseal"},
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

// judgeHooks tells whether updates are followed by a reseal.
func judgeHooks(hooks []Hook) []Line {
	if len(hooks) == 0 {
		return nil
	}
	l := Line{What: "hooks", Verdict: OK}
	var there, missing []string
	for _, h := range hooks {
		if h.Installed {
			there = append(there, h.What)
		} else {
			missing = append(missing, h.What)
			l.More = append(l.More, h.File+" is not there")
		}
	}
	l.Says = "a reseal follows " + joinAnd(there)
	switch {
	case len(there) == 0:
		l.Verdict, l.Says, l.More = Warn, "none: after an update, somebody has to reseal before the reboot", nil
		l.Remedy = "install bootseal's package, which brings them"
	case len(missing) > 0:
		l.Verdict, l.Says = Warn, l.Says+", but not "+strings.Join(missing, ", ")
		l.Remedy = "install bootseal's package again"
	}
	return []Line{l}
}
