// Package version tells which bootseal a program is.
package version

import "runtime/debug"

// Build is what a program knows of its own origin.
type Build struct {
	Version  string `json:"version"`
	Go       string `json:"go"`
	Revision string `json:"revision,omitempty"`
	Modified bool   `json:"modified,omitempty"` // built from a changed tree
}

// Read returns the running program's.
func Read() Build {
	b := Build{Version: "unknown"}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return b
	}
	b.Version, b.Go = info.Main.Version, info.GoVersion
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			b.Revision = s.Value
		case "vcs.modified":
			b.Modified = s.Value == "true"
		}
	}
	return b
}

// String is one line: "0.1.0 (go1.26.0)".
func (b Build) String() string { return b.Version + " (" + b.Go + ")" }
