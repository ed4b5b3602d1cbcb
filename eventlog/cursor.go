package eventlog

import "encoding/binary"

// cursor reads little-endian fields. The first read past the end sets short,
// and that and all later reads return zero values, so that a structure is read
// in one go and asked once.
type cursor struct {
	buf   []byte
	off   int
	short bool
}

func (c *cursor) left() int { return len(c.buf) - c.off }

// bytes returns the next n bytes. n is 64 bits wide because the lengths of the
// log come from hostile input and are up to 64 bits wide themselves.
func (c *cursor) bytes(n uint64) []byte {
	if c.short || n > uint64(c.left()) {
		c.short = true
		return nil
	}
	b := c.buf[c.off : c.off+int(n) : c.off+int(n)]
	c.off += int(n)
	return b
}

// rest returns everything that is left.
func (c *cursor) rest() []byte { return c.bytes(uint64(c.left())) }

func (c *cursor) u8() uint8 {
	if b := c.bytes(1); b != nil {
		return b[0]
	}
	return 0
}

func (c *cursor) u16() uint16 {
	if b := c.bytes(2); b != nil {
		return binary.LittleEndian.Uint16(b)
	}
	return 0
}

func (c *cursor) u32() uint32 {
	if b := c.bytes(4); b != nil {
		return binary.LittleEndian.Uint32(b)
	}
	return 0
}

func (c *cursor) u64() uint64 {
	if b := c.bytes(8); b != nil {
		return binary.LittleEndian.Uint64(b)
	}
	return 0
}
