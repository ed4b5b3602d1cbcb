package secretmem

import "golang.org/x/sys/unix"

// Protect keeps this process's memory from swap (mlockall) and from core dumps and
// debuggers of the same user. What the system refuses is left out without a word: an
// initial ramdisk has no swap, and a user without privileges may lock little.
func Protect() {
	_ = unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{})
	_ = unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0)
	if mayLock() {
		// On fault: what the runtime only reserves stays unused.
		_ = unix.Mlockall(unix.MCL_CURRENT | unix.MCL_FUTURE | unix.MCL_ONFAULT)
	}
}

// mayLock reports whether memory can be locked without limit. With one, every later
// allocation could fail, and the process with it.
func mayLock() bool {
	var limit unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_MEMLOCK, &limit) == nil && limit.Cur == unix.RLIM_INFINITY {
		return true
	}
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	if unix.Capget(&header, &data[0]) != nil {
		return false
	}
	return data[unix.CAP_IPC_LOCK/32].Effective&(1<<(unix.CAP_IPC_LOCK%32)) != 0
}
