package main

import "path/filepath"

// verbOf returns the arguments of a command line. Called by the name of one of swtpm's
// programs, bootseal is that program: what starts swtpm needs a link, and no change.
func verbOf(argv []string) []string {
	args := argv[1:]
	switch filepath.Base(argv[0]) {
	case "swtpm":
		for i, arg := range args {
			if i < 2 && (arg == "--version" || arg == "-v") { // also behind the interface
				return []string{"version", "--swtpm"}
			}
		}
		return append([]string{"vtpm"}, args...)
	case "swtpm_ioctl":
		if len(args) > 0 && args[0] == "--version" {
			return []string{"version", "--swtpm"}
		}
		return append([]string{"vtpm", "ioctl"}, args...)
	case "swtpm_setup":
		if len(args) > 0 && args[0] == "--version" {
			return []string{"version", "--swtpm"}
		}
		return append([]string{"vtpm", "setup"}, args...)
	}
	return args
}
