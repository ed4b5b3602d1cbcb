//go:build !linux

package secretmem

// Protect does nothing here.
func Protect() {}
