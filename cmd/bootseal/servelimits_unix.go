//go:build unix

package main

import (
	"log/slog"
	"syscall"
)

// wantFiles is how many descriptors a daemon wants: a vTPM has four, and two for a VM.
const wantFiles = 1 << 19

// raiseLimits raises how many descriptors the process can have open: the Go runtime has
// raised the soft limit to the hard one, and root may raise that.
func raiseLimits(log *slog.Logger) {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		log.Warn("ask how many files can be open", "error", err)
		return
	}
	if limit.Cur >= wantFiles {
		return
	}
	higher := syscall.Rlimit{Cur: wantFiles, Max: max(limit.Max, wantFiles)}
	if syscall.Setrlimit(syscall.RLIMIT_NOFILE, &higher) == nil {
		return
	}
	higher = syscall.Rlimit{Cur: limit.Max, Max: limit.Max}
	if syscall.Setrlimit(syscall.RLIMIT_NOFILE, &higher) == nil {
		limit = higher
	}
	log.Info("open files are limited", "files", limit.Cur, "vTPMs", limit.Cur/6)
}
