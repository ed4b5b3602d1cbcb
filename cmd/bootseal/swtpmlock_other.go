//go:build !unix

package main

// isLockedByOther would report whether swtpm is using a state. It is a program for Unix.
func isLockedByOther(string) (bool, error) { return false, nil }
