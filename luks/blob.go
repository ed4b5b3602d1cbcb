package luks

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// maxBuffer bounds a TPM2B in a token, in bytes. The largest is an RSA 4096 public
// area or its wrapped sensitive area; TPMs answer within 4096 bytes in all.
const maxBuffer = 4096

// Blob is a sealed object as systemd stores it: TPM2B_PRIVATE, TPM2B_PUBLIC, and a
// TPM2B_ENCRYPTED_SECRET where the object has to be imported first. The fields are
// the buffers, without the sizes in front; Public is a TPMT_PUBLIC.
type Blob struct {
	Private, Public []byte
	Seed            []byte // nil in a blob of two parts
}

// ParseBlob takes a blob apart.
func ParseBlob(b []byte) (Blob, error) {
	r := &parts{rest: b}
	blob := Blob{Private: r.sized("TPM2B_PRIVATE"), Public: r.sized("TPM2B_PUBLIC")}
	if r.err == nil && len(r.rest) > 0 {
		if blob.Seed = r.sized("TPM2B_ENCRYPTED_SECRET"); r.err == nil && len(blob.Seed) == 0 {
			return Blob{}, errors.New("TPM2B_ENCRYPTED_SECRET: it is empty")
		}
	}
	return blob, r.done()
}

// Bytes returns the blob as it is stored.
func (b Blob) Bytes() []byte {
	out := appendSized(appendSized(nil, b.Private), b.Public)
	if b.Seed != nil {
		out = appendSized(out, b.Seed)
	}
	return out
}

// parts takes a TPM's structures apart. It sticks at the first error.
type parts struct {
	rest []byte
	err  error
}

func (p *parts) next(n int, what string) []byte {
	if p.err == nil && len(p.rest) < n {
		p.err = fmt.Errorf("%s: %d bytes are left: want %d", what, len(p.rest), n)
	}
	if p.err != nil {
		return make([]byte, n)
	}
	b := p.rest[:n:n]
	p.rest = p.rest[n:]
	return b
}

func (p *parts) uint32(what string) uint32 { return binary.BigEndian.Uint32(p.next(4, what)) }

func (p *parts) sized(what string) []byte {
	n := int(binary.BigEndian.Uint16(p.next(2, what)))
	if p.err == nil && n > maxBuffer {
		p.err = fmt.Errorf("%s: %d bytes: want at most %d", what, n, maxBuffer)
	}
	if p.err != nil {
		return nil
	}
	return p.next(n, what)
}

func (p *parts) done() error {
	if p.err == nil && len(p.rest) > 0 {
		p.err = fmt.Errorf("%d bytes follow its end", len(p.rest))
	}
	return p.err
}

func appendSized(to, b []byte) []byte {
	return append(binary.BigEndian.AppendUint16(to, uint16(len(b))), b...)
}
