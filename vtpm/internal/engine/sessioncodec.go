package engine

import "github.com/bootseal/bootseal/vtpm/internal/wire"

// The encoding of a session for its saved context. Every field is in it.

// Write appends the session.
func (s *Session) Write(w *wire.Writer) {
	s.Handle.Write(w)
	s.Type.Write(w)
	s.AuthHash.Write(w)
	s.Symmetric.Write(w)
	w.Sized(s.NonceTPM)
	w.Sized(s.Key)
	// Not bound and bound to what has an empty Name and authValue are different.
	writeBool(w, s.Bind != nil)
	w.Sized(s.Bind)
	writeBool(w, s.DABound)
	writeBool(w, s.LockoutBound)
	writeBool(w, s.Audit)
	w.Sized(s.AuditDigest)
	s.Policy.write(w)
}

// Read reads what Write wrote, into memory of its own.
func (s *Session) Read(r *wire.Reader) {
	r.Detach()
	s.Handle.Read(r)
	s.Type.Read(r)
	s.AuthHash.Read(r)
	s.Symmetric.ReadPlus(r)
	s.NonceTPM = readBytes(r)
	s.Key = readBytes(r)
	bound := readBool(r)
	if s.Bind = readBytes(r); bound && s.Bind == nil {
		s.Bind = []byte{}
	}
	s.DABound = readBool(r)
	s.LockoutBound = readBool(r)
	s.Audit = readBool(r)
	s.AuditDigest = readBytes(r)
	s.Policy.read(r)
}

func (p *Policy) write(w *wire.Writer) {
	w.Sized(p.Digest)
	p.CommandCode.Write(w)
	w.U8(p.Locality)
	w.U64(p.StartTime)
	w.U32(p.Epoch)
	w.U64(p.Timeout)
	w.U32(p.PCRCounter)
	writeBool(w, p.PCRChecked)
	w.Sized(p.Restriction)
	w.U8(uint8(p.RestrictionKind))
	writeBool(w, p.AuthValueNeeded)
	writeBool(w, p.PasswordNeeded)
	writeBool(w, p.PresenceRequired)
	writeBool(w, p.CheckNVWritten)
	writeBool(w, p.NVWritten)
}

func (p *Policy) read(r *wire.Reader) {
	p.Digest = readBytes(r)
	p.CommandCode = wire.CC(r.U32())
	p.Locality = r.U8()
	p.StartTime = r.U64()
	p.Epoch = r.U32()
	p.Timeout = r.U64()
	p.PCRCounter = r.U32()
	p.PCRChecked = readBool(r)
	p.Restriction = readBytes(r)
	p.RestrictionKind = Restriction(r.U8())
	p.AuthValueNeeded = readBool(r)
	p.PasswordNeeded = readBool(r)
	p.PresenceRequired = readBool(r)
	p.CheckNVWritten = readBool(r)
	p.NVWritten = readBool(r)
}
