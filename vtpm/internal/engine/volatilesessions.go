package engine

import (
	"github.com/bootseal/bootseal/vtpm/internal/crypt"
	"github.com/bootseal/bootseal/vtpm/internal/wire"
)

// What an entry for a session holds in a volatile state.
const (
	entryFree uint8 = iota
	entrySaved
	entryLoaded
)

func (x *Sessions) writeVolatile(w *wire.Writer) {
	w.U64(x.contextCounter)
	w.U32(uint32(len(x.active)))
	for _, a := range x.active {
		switch {
		case a == nil:
			w.U8(entryFree)
		case a.loaded == nil:
			w.U8(entrySaved)
			w.U64(a.contextID)
			writeBool(w, a.policy)
		default:
			w.U8(entryLoaded)
			a.loaded.Write(w)
		}
	}
}

// readSessions reads the active sessions, of which there are not more than the
// profile allows.
func (t *TPM) readSessions(r *wire.Reader) {
	x := &t.Sessions
	x.contextCounter = r.U64()
	x.active = nil
	n := r.U32()
	if n > uint32(t.Profile.ActiveSessions) {
		r.Fail(wire.RCSessionHandles)
	}
	for i := 0; uint32(i) < n && r.OK(); i++ {
		x.active = append(x.active, readEntry(r, i))
	}
	if loaded, _ := x.count(); loaded > t.Profile.LoadedSessions {
		r.Fail(wire.RCSessionMemory)
	}
}

func readEntry(r *wire.Reader, index int) *activeSession {
	switch r.U8() {
	case entryFree:
		return nil
	case entrySaved:
		a := &activeSession{contextID: r.U64(), policy: readBool(r)}
		if a.contextID == 0 {
			r.Fail(wire.RCValue)
		}
		return a
	case entryLoaded:
		s := new(Session)
		s.Read(r)
		if r.OK() {
			s.check(r, index)
		}
		return &activeSession{loaded: s, policy: s.IsPolicy()}
	}
	r.Fail(wire.RCValue)
	return nil
}

// check fails the reader for a session that could not have been loaded at the index,
// as far as the rest of the engine relies on it.
func (s *Session) check(r *wire.Reader, index int) {
	size := crypt.Size(s.AuthHash)
	none := func(n int) bool { return n == 0 || n == size }
	switch {
	case size == 0:
		r.Fail(wire.RCHash)
	case s.Handle != sessionHandle(index, s.IsPolicy()):
		r.Fail(wire.RCHandle)
	case len(s.NonceTPM) < 16 || len(s.NonceTPM) > size || !none(len(s.Key)):
		r.Fail(wire.RCSize)
	case s.Audit && len(s.AuditDigest) != size || !none(len(s.AuditDigest)):
		r.Fail(wire.RCSize)
	case s.IsPolicy() && len(s.Policy.Digest) != size || !none(len(s.Policy.Digest)):
		r.Fail(wire.RCSize)
	case s.Policy.RestrictionKind > RestrictTemplate:
		r.Fail(wire.RCValue)
	}
}
