//go:build !linux

package unlock

func mountSecurityFS(string) {}
