package engine

import (
	"github.com/bootseal/bootseal/vtpm/internal/crypt"
	"github.com/bootseal/bootseal/vtpm/internal/wire"
)

// The encoding of a session for its saved context. Every field is in it, and what
// a session has not takes no room: the largest context must be no larger than
// TPM_PT_MAX_SESSION_CONTEXT of each profile. Digests have the size of the session's
// hash algorithm.

// flags are the booleans of a session and of its policy, with the bit of each.
func (s *Session) flags(bound *bool) []*bool {
	p := &s.Policy
	return []*bool{
		bound, &s.DABound, &s.LockoutBound, &s.Audit, &p.PCRChecked, &p.AuthValueNeeded,
		&p.PasswordNeeded, &p.PresenceRequired, &p.CheckNVWritten, &p.NVWritten,
	}
}

// Write appends the session.
func (s *Session) Write(w *wire.Writer) {
	s.Handle.Write(w)
	s.Type.Write(w)
	s.AuthHash.Write(w)
	s.Symmetric.Write(w)
	writeShort(w, s.NonceTPM)
	writeShort(w, s.Key)
	// Not bound and bound to what has an empty Name and authValue are different.
	bound := s.Bind != nil
	var flags uint16
	for i, set := range s.flags(&bound) {
		if *set {
			flags |= 1 << i
		}
	}
	// The kind of restriction takes the bits above: a byte of its own is one too many.
	flags |= uint16(s.Policy.RestrictionKind) << len(s.flags(&bound))
	w.U16(flags)
	if bound {
		writeShort(w, s.Bind)
	}
	if s.Audit {
		writeShort(w, s.AuditDigest)
	}
	if s.IsPolicy() {
		s.Policy.write(w)
	}
}

// Read reads what Write wrote, into memory of its own.
func (s *Session) Read(r *wire.Reader) {
	r.Detach()
	s.Handle.Read(r)
	s.Type.Read(r)
	s.AuthHash = readHash(r)
	s.Symmetric.ReadPlus(r)
	s.NonceTPM = readShort(r)
	s.Key = readShort(r)
	bound, flags := false, r.U16()
	all := s.flags(&bound)
	for i, set := range all {
		*set = flags&(1<<i) != 0
	}
	s.Policy.RestrictionKind = Restriction(flags >> len(all))
	if s.Policy.RestrictionKind > RestrictTemplate {
		r.Fail(wire.RCValue)
	}
	if bound {
		if s.Bind = readShort(r); s.Bind == nil {
			s.Bind = []byte{}
		}
	}
	if s.Audit {
		s.AuditDigest = readShort(r)
	}
	if s.IsPolicy() {
		s.Policy.read(r, crypt.Size(s.AuthHash))
	}
}

func (p *Policy) write(w *wire.Writer) {
	w.Bytes(p.Digest)
	p.CommandCode.Write(w)
	w.U8(p.Locality)
	w.U64(p.StartTime)
	w.U32(p.Epoch)
	w.U64(p.Timeout)
	w.U32(p.PCRCounter)
	// A trial session takes a cpHash of any size.
	if p.RestrictionKind != RestrictNothing {
		writeShort(w, p.Restriction)
	}
}

func (p *Policy) read(r *wire.Reader, digestSize int) {
	p.Digest = r.Bytes(digestSize)
	p.CommandCode = wire.CC(r.U32())
	p.Locality = r.U8()
	p.StartTime = r.U64()
	p.Epoch = r.U32()
	p.Timeout = r.U64()
	p.PCRCounter = r.U32()
	if p.RestrictionKind != RestrictNothing {
		p.Restriction = readShort(r)
	}
}

// writeShort and readShort encode a buffer of at most 255 bytes, nil when empty.
func writeShort(w *wire.Writer, b []byte) {
	w.U8(uint8(len(b)))
	w.Bytes(b)
}

func readShort(r *wire.Reader) []byte {
	b := r.Bytes(int(r.U8()))
	if len(b) == 0 {
		return nil
	}
	return b
}
