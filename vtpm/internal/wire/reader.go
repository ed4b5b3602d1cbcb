package wire

import (
	"bytes"
	"encoding/binary"
)

// Reader decodes big-endian TPM structures from a buffer (Part 1, "Data
// marshaling"). The first error sticks: later reads return zero values and
// leave it in place, so a structure reads all its fields and its caller asks
// Err once. The slices it returns alias the buffer.
type Reader struct {
	// Limits says which algorithms, curves and key sizes exist. It is never nil
	// for a Reader made by NewReader.
	Limits *Limits

	buf    []byte
	off    int
	rc     RC
	detach bool
}

// NewReader returns a Reader of buf in which the algorithms of limits exist.
func NewReader(buf []byte, limits *Limits) *Reader {
	return &Reader{Limits: limits, buf: buf}
}

// Reset makes the Reader one of buf, as NewReader does.
func (r *Reader) Reset(buf []byte, limits *Limits) { *r = Reader{Limits: limits, buf: buf} }

// Err returns the response code of the first failure, or nil.
func (r *Reader) Err() error {
	if r.rc != RCSuccess {
		return r.rc
	}
	return nil
}

// OK reports whether nothing has failed so far.
func (r *Reader) OK() bool { return r.rc == RCSuccess }

// Fail records rc, unless an earlier failure is recorded already.
func (r *Reader) Fail(rc RC) {
	if r.rc == RCSuccess {
		r.rc = rc
	}
}

// Len returns the number of bytes not yet read.
func (r *Reader) Len() int { return len(r.buf) - r.off }

// Offset returns the number of bytes read.
func (r *Reader) Offset() int { return r.off }

// Rest returns the bytes not yet read without reading them.
func (r *Reader) Rest() []byte { return r.buf[r.off:] }

// Detach makes the slices that are read from here on copies, for structures that
// outlive the buffer.
func (r *Reader) Detach() { r.detach = true }

// Bytes reads n bytes, or fails with TPM_RC_INSUFFICIENT.
func (r *Reader) Bytes(n int) []byte {
	if r.rc != RCSuccess {
		return nil
	}
	if n < 0 || r.Len() < n {
		r.rc = RCInsufficient
		return nil
	}
	b := r.buf[r.off : r.off+n : r.off+n]
	r.off += n
	if r.detach {
		return bytes.Clone(b)
	}
	return b
}

// U8 reads one byte.
func (r *Reader) U8() uint8 {
	if b := r.Bytes(1); b != nil {
		return b[0]
	}
	return 0
}

// U16 reads a UINT16.
func (r *Reader) U16() uint16 {
	if b := r.Bytes(2); b != nil {
		return binary.BigEndian.Uint16(b)
	}
	return 0
}

// U32 reads a UINT32.
func (r *Reader) U32() uint32 {
	if b := r.Bytes(4); b != nil {
		return binary.BigEndian.Uint32(b)
	}
	return 0
}

// U64 reads a UINT64.
func (r *Reader) U64() uint64 {
	if b := r.Bytes(8); b != nil {
		return binary.BigEndian.Uint64(b)
	}
	return 0
}

// Sized reads a TPM2B: a UINT16 size of at most limit bytes (TPM_RC_SIZE when
// larger), then as many bytes. The result is nil only after a failure.
func (r *Reader) Sized(limit int) []byte {
	n := int(r.U16())
	if n > limit {
		r.Fail(RCSize)
	}
	return r.Bytes(n)
}

// Inner reads a UINT16 size and calls read, which must consume exactly that
// many bytes (TPM_RC_SIZE otherwise). It reports the size that was read; a size
// of zero does not call read, what it means is the caller's to say.
func (r *Reader) Inner(read func()) int {
	n := int(r.U16())
	if n == 0 || !r.OK() {
		return n
	}
	start := r.off
	read()
	if r.OK() && r.off-start != n {
		r.Fail(RCSize)
	}
	return n
}
