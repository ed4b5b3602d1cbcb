package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

// proxyDevice is struct vtpm_proxy_new_dev of uapi/linux/vtpm_proxy.h.
type proxyDevice struct {
	flags        uint32 // 1: a TPM 2.0
	number       uint32 // N of /dev/tpmN
	fd           uint32
	major, minor uint32
}

// proxyNewDevice is VTPM_PROXY_IOC_NEW_DEV: _IOWR(0xA1, 0x00, struct vtpm_proxy_new_dev).
const proxyNewDevice = 3<<30 | unsafe.Sizeof(proxyDevice{})<<16 | 0xA1<<8

// newProxyDevice has the kernel make a TPM device, and returns its other end and its name.
func newProxyDevice() (*os.File, string, error) {
	control, err := os.OpenFile("/dev/vtpmx", os.O_RDWR, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, "", fmt.Errorf("%w: the kernel's module tpm_vtpm_proxy is not there (modprobe tpm_vtpm_proxy)", err)
	}
	if err != nil {
		return nil, "", err
	}
	defer control.Close()
	d := proxyDevice{flags: 1}
	if _, _, errno := unix.Syscall(unix.SYS_IOCTL, control.Fd(), proxyNewDevice, uintptr(unsafe.Pointer(&d))); errno != 0 {
		return nil, "", fmt.Errorf("make a TPM device: %w", errno)
	}
	// The runtime can then wait for it together with everything else.
	if err := unix.SetNonblock(int(d.fd), true); err != nil {
		return nil, "", errors.Join(err, unix.Close(int(d.fd)))
	}
	name := fmt.Sprintf("/dev/tpm%d", d.number)
	return os.NewFile(uintptr(d.fd), name), fmt.Sprintf("%s (major/minor = %d/%d)", name, d.major, d.minor), nil
}
