package wire

import (
	"encoding/binary"
	"math"
)

// Writer appends big-endian TPM structures to a buffer. The zero value is ready
// to use. Writing cannot fail: whatever the engine writes it has bounded before.
type Writer struct {
	buf []byte
}

// NewWriter returns a Writer that appends to buf.
func NewWriter(buf []byte) *Writer { return &Writer{buf: buf} }

// Data returns what was written. It aliases the Writer's buffer.
func (w *Writer) Data() []byte { return w.buf }

// Len returns the number of bytes written.
func (w *Writer) Len() int { return len(w.buf) }

// Bytes appends b as it is.
func (w *Writer) Bytes(b []byte) { w.buf = append(w.buf, b...) }

// U8 appends one byte.
func (w *Writer) U8(v uint8) { w.buf = append(w.buf, v) }

// U16 appends a UINT16.
func (w *Writer) U16(v uint16) { w.buf = binary.BigEndian.AppendUint16(w.buf, v) }

// U32 appends a UINT32.
func (w *Writer) U32(v uint32) { w.buf = binary.BigEndian.AppendUint32(w.buf, v) }

// U64 appends a UINT64.
func (w *Writer) U64(v uint64) { w.buf = binary.BigEndian.AppendUint64(w.buf, v) }

// Sized appends a TPM2B: a UINT16 size, then b.
func (w *Writer) Sized(b []byte) {
	if len(b) > math.MaxUint16 {
		panic("wire: a sized buffer over 65,535 bytes")
	}
	w.U16(uint16(len(b)))
	w.Bytes(b)
}

// Inner appends a UINT16 size and what write appends after it.
func (w *Writer) Inner(write func()) {
	at := len(w.buf)
	w.U16(0)
	write()
	n := len(w.buf) - at - 2
	if n > math.MaxUint16 {
		panic("wire: a sized structure over 65,535 bytes")
	}
	binary.BigEndian.PutUint16(w.buf[at:], uint16(n))
}

// PatchU32 overwrites the four bytes at offset at, for sizes known last.
func (w *Writer) PatchU32(at int, v uint32) { binary.BigEndian.PutUint32(w.buf[at:], v) }
