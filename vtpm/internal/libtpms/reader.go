package libtpms

import (
	"errors"
	"fmt"

	"github.com/bootseal/bootseal/vtpm/internal/wire"
)

// limits are what any libtpms implements: nothing that it wrote is outside of them.
func limits() *wire.Limits {
	l := wire.DefaultLimits()
	l.Hashes = []wire.Alg{wire.AlgSHA1, wire.AlgSHA256, wire.AlgSHA384, wire.AlgSHA512}
	l.Curves = []wire.ECCCurve{
		wire.CurveNISTP192, wire.CurveNISTP224, wire.CurveNISTP256, wire.CurveNISTP384,
		wire.CurveNISTP521, wire.CurveBNP256, wire.CurveBNP638, wire.CurveSM2P256,
	}
	l.Ciphers = []wire.Cipher{
		{Alg: wire.AlgTDES, KeyBits: []uint16{128, 192}},
		{Alg: wire.AlgAES, KeyBits: []uint16{128, 192, 256}},
		{Alg: wire.AlgCamellia, KeyBits: []uint16{128, 192, 256}},
	}
	l.Schemes = append(l.Schemes, wire.AlgECMQV)
	return l
}

// reader reads libtpms' structures. As with wire.Reader, the first failure sticks.
type reader struct {
	*wire.Reader
	part string // what is being read, for errors
	err  error  // the first failure, where a response code does not say it
}

func newReader(state []byte) *reader {
	r := &reader{Reader: wire.NewReader(state, limits())}
	r.Detach()
	return r
}

// in says which part is read from here on.
func (r *reader) in(format string, args ...any) {
	if r.OK() {
		r.part = fmt.Sprintf(format, args...)
	}
}

func (r *reader) fail(format string, args ...any) {
	if r.OK() {
		r.err = fmt.Errorf(format, args...)
		r.Fail(wire.RCValue)
	}
}

// result returns the first failure.
func (r *reader) result() error {
	err := r.Err()
	switch {
	case err == nil:
		return nil
	case r.err != nil:
		err = r.err
	case errors.Is(err, wire.RCInsufficient):
		err = errors.New("it is cut short")
	}
	return fmt.Errorf("libtpms state, %s, at byte %d: %w", r.part, r.Offset(), err)
}

// structure describes a header: the name for errors, the magic number, and the
// newest version that is known here.
type structure struct {
	name  string
	magic uint32
	known uint16
}

// header reads a header and returns the structure's version.
func (r *reader) header(s structure) uint16 {
	version, magic, least := r.U16(), r.U32(), uint16(0)
	if version >= 2 {
		least = r.U16()
	}
	switch {
	case !r.OK():
	case magic != s.magic:
		r.fail("it is no %s: its magic number is %#08x and not %#08x", s.name, magic, s.magic)
	case version == 0, least > s.known:
		r.fail("%s has version %d, and those up to %d are known", s.name, max(version, least), s.known)
	}
	return version
}

// block reads an optional part, and reports whether it is there. What is in it beyond
// what read reads is of a version that is not known.
func (r *reader) block(read func()) bool {
	there, size := r.boolean(), int(r.U16())
	if !r.OK() {
		return false
	}
	if !there {
		if size != 0 {
			r.fail("a part that is absent has %d bytes", size)
		}
		return false
	}
	start := r.Offset()
	read()
	if n := r.Offset() - start; r.OK() && n != size {
		r.fail("a part has %d bytes, of which %d can be read: a newer libtpms wrote it", size, n)
	}
	return true
}

// future reads the block in which a later version would have what it adds, in
// structures that have one since a version.
func (r *reader) future(version, since uint16) {
	if version >= since {
		r.block(func() {})
	}
}

// skip passes over an optional part of no use here.
func (r *reader) skip() {
	if there, size := r.boolean(), int(r.U16()); there {
		clear(r.Bytes(size)) // a copy, of what may be a secret
	} else if r.OK() && size != 0 {
		r.fail("a part that is absent has %d bytes", size)
	}
}

func (r *reader) boolean() bool {
	b := r.U8()
	if b > 1 {
		r.fail("%d is no boolean", b)
	}
	return b == 1
}

// array reads a u16 that must be n, the number of elements that follow.
func (r *reader) array(what string, n int) {
	if have := int(r.U16()); r.OK() && have != n {
		r.fail("%s: %d elements instead of %d", what, have, n)
	}
}

// exactly reads a sized buffer of n bytes.
func (r *reader) exactly(what string, n int) []byte {
	b := r.Sized(wire.MaxDigest)
	if r.OK() && len(b) != n {
		r.fail("%s has %d bytes instead of %d", what, len(b), n)
	}
	return b
}
