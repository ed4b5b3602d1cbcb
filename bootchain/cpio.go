package bootchain

import (
	"fmt"
	"io"
	"strings"
)

// cpio writes an archive byte for byte as systemd-stub packs one for the kernel:
// the new ASCII format (Linux, Documentation/driver-api/early-userspace/
// buffer-format.rst), with inodes counted from 1, no times and no owners.
type cpio struct {
	to    io.Writer
	inode uint32
	err   error
}

func newCPIO(to io.Writer) *cpio { return &cpio{to: to, inode: 1} }

const (
	modeFile      = 0o100000
	modeDirectory = 0o040000
)

func (c *cpio) write(b []byte) {
	if c.err == nil {
		_, c.err = c.to.Write(b)
	}
}

func (c *cpio) header(name string, mode uint32, size int64) {
	head := "070701"
	for _, v := range []uint32{c.inode, mode, 0, 0, 1, 0, uint32(size), 0, 0, 0, 0, uint32(len(name) + 1), 0} {
		head += fmt.Sprintf("%08x", v)
	}
	c.inode++
	head += name + "\x00"
	c.write([]byte(head))
	c.write(make([]byte, padding(int64(len(head)))))
}

// folder adds a folder and those above it, which anybody may read.
func (c *cpio) folder(path string, mode uint32) {
	for i, r := range path {
		if r == '/' && i > 0 {
			c.header(path[:i], modeDirectory|0o555, 0)
		}
	}
	c.header(path, modeDirectory|mode, 0)
}

func (c *cpio) file(path string, mode uint32, contents io.Reader, size int64) {
	c.header(path, modeFile|mode, size)
	if c.err != nil {
		return
	}
	n, err := io.Copy(c.to, contents)
	if err == nil && n != size {
		err = fmt.Errorf("%s has %d bytes, not %d", path, n, size)
	}
	c.err = err
	c.write(make([]byte, padding(size)))
}

func (c *cpio) close() error {
	c.write([]byte("070701" + strings.Repeat("00000000", 4) + "00000001" + strings.Repeat("00000000", 6) + "0000000B" +
		"00000000" + "TRAILER!!!\x00\x00\x00\x00"))
	return c.err
}
