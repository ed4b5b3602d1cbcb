package engine

import (
	"github.com/bootseal/bootseal/vtpm/internal/crypt"
	"github.com/bootseal/bootseal/vtpm/internal/wire"
)

// Session is a loaded authorization session.
type Session struct {
	Handle    wire.Handle
	Type      wire.SE // TPM_SE_HMAC, TPM_SE_POLICY or TPM_SE_TRIAL
	AuthHash  wire.Alg
	Symmetric wire.TPMTSymDef
	NonceTPM  []byte
	Key       []byte // sessionKey, empty when neither salted nor bound

	Bind         []byte // what an HMAC session is bound to; nil when it is not
	DABound      bool   // bound to an entity that counts failures
	LockoutBound bool   // bound to lockoutAuth

	Audit       bool   // has been used for audit
	AuditDigest []byte // of the commands audited with it

	Policy Policy // of a policy or trial session
}

// Policy is what a policy session has gathered (Part 1, "Policy session
// context").
type Policy struct {
	Digest      []byte
	CommandCode wire.CC // 0: any
	Locality    uint8   // TPMA_LOCALITY; 0: any
	StartTime   uint64  // Time in ms when its timing began
	Epoch       uint32
	Timeout     uint64 // Time in ms at which it expires; 0: never
	PCRCounter  uint32 // PCRs.UpdateCounter at PolicyPCR
	PCRChecked  bool

	// Restriction is what a later command must hash to; RestrictionKind says what
	// of it is hashed. PolicyCpHash, PolicyNameHash, PolicyParameters,
	// PolicyTemplate and PolicyDuplicationSelect exclude each other.
	Restriction     []byte
	RestrictionKind Restriction

	AuthValueNeeded  bool // PolicyAuthValue
	PasswordNeeded   bool // PolicyPassword
	PresenceRequired bool // PolicyPhysicalPresence
	CheckNVWritten   bool // PolicyNvWritten
	NVWritten        bool
}

// Restriction says what Policy.Restriction is a hash of.
type Restriction uint8

// The kinds of Restriction.
const (
	RestrictNothing    Restriction = iota
	RestrictCpHash                 // cpHash: code, Names and parameters
	RestrictNameHash               // the Names
	RestrictParameters             // code and parameters
	RestrictTemplate               // the template of an object to be created
)

// IsPolicy reports whether the session is a policy or a trial session.
func (s *Session) IsPolicy() bool { return s.Type != wire.SEHMAC }

// IsTrial reports whether the session only computes a policy digest.
func (s *Session) IsTrial() bool { return s.Type == wire.SETrial }

// ResetPolicy makes a policy session as it was at its start, but for its keys.
func (t *TPM) ResetPolicy(s *Session) {
	s.Policy = Policy{
		Digest:    make([]byte, crypt.Size(s.AuthHash)),
		StartTime: t.Clock.Time,
		Epoch:     t.Clock.Epoch,
	}
}

// activeSession is a session that is loaded or saved.
type activeSession struct {
	loaded    *Session // nil: saved
	contextID uint64   // of the saved context
	policy    bool     // kind of the saved session's handle
}

// Sessions are the active sessions: the loaded ones, and what the TPM remembers
// of the saved ones, so that a saved context loads once and not out of order.
type Sessions struct {
	active         []*activeSession // by handle index, grown on demand
	contextCounter uint64
}

// powerOn forgets the loaded sessions.
func (x *Sessions) powerOn() {
	for i, a := range x.active {
		if a != nil && a.loaded != nil {
			clear(a.loaded.Key)
			x.active[i] = nil
		}
	}
}

// startup forgets the saved sessions at TPM Reset. The loaded ones are gone already.
func (x *Sessions) startup(kind startupKind) {
	if kind == startupReset {
		x.active = nil
		x.contextCounter = 1
	}
}

// maxSessions bounds the sessions that a profile can have active: what the index of
// a session's handle can count.
const maxSessions = 1 << 24

func sessionIndex(h wire.Handle) int { return int(h & 0x00FFFFFF) }

func sessionHandle(index int, policy bool) wire.Handle {
	if policy {
		return wire.PolicySessionFirst + wire.Handle(index)
	}
	return wire.HMACSessionFirst + wire.Handle(index)
}

func (x *Sessions) entry(h wire.Handle) *activeSession {
	if i := sessionIndex(h); i < len(x.active) {
		return x.active[i]
	}
	return nil
}

// Loaded returns the loaded session with the handle's index, or nil. Its kind may
// be the other one: compare Session.Handle.
func (x *Sessions) Loaded(h wire.Handle) *Session {
	if a := x.entry(h); a != nil {
		return a.loaded
	}
	return nil
}

// IsSaved reports whether a context of the session with the handle's index is
// outside the TPM.
func (x *Sessions) IsSaved(h wire.Handle) bool {
	a := x.entry(h)
	return a != nil && a.loaded == nil
}

// Handles returns the handles of the loaded or of the saved sessions in the
// order of their indices.
func (x *Sessions) Handles(loaded bool) []wire.Handle {
	var hs []wire.Handle
	for i, a := range x.active {
		if a != nil && (a.loaded != nil) == loaded {
			policy := a.policy
			hs = append(hs, sessionHandle(i, policy))
		}
	}
	return hs
}

func (x *Sessions) count() (loaded, active int) {
	for _, a := range x.active {
		if a != nil {
			active++
			if a.loaded != nil {
				loaded++
			}
		}
	}
	return loaded, active
}

// SessionsAvailable returns how many more sessions can be loaded and be active.
func (t *TPM) SessionsAvailable() (loaded, active int) {
	l, a := t.Sessions.count()
	return t.Profile.LoadedSessions - l, t.Profile.ActiveSessions - a
}

// gapReached reports whether the next contextID would be further from the oldest
// saved one's than TPM_PT_CONTEXT_GAP_MAX.
func (t *TPM) gapReached() bool {
	oldest, ok := t.Sessions.oldest()
	return ok && t.Sessions.contextCounter-oldest > uint64(t.Profile.ContextGap)
}

func (x *Sessions) oldest() (uint64, bool) {
	var oldest uint64
	found := false
	for _, a := range x.active {
		if a != nil && a.loaded == nil && (!found || a.contextID < oldest) {
			oldest, found = a.contextID, true
		}
	}
	return oldest, found
}

// AddSession makes the session active and sets its handle. The last free slot is
// kept for the oldest saved session when only loading that can help.
func (t *TPM) AddSession(s *Session) error {
	free, active := t.SessionsAvailable()
	if free == 0 {
		return wire.RCSessionMemory
	}
	if free == 1 && t.gapReached() {
		return wire.RCContextGap
	}
	if active == 0 {
		return wire.RCSessionHandles
	}
	x := &t.Sessions
	i := 0
	for i < len(x.active) && x.active[i] != nil {
		i++
	}
	if i == len(x.active) {
		x.active = append(x.active, nil)
	}
	s.Handle = sessionHandle(i, s.IsPolicy())
	x.active[i] = &activeSession{loaded: s, policy: s.IsPolicy()}
	return nil
}

// FlushSession ends a loaded or saved session.
func (t *TPM) FlushSession(h wire.Handle) {
	if a := t.Sessions.entry(h); a != nil {
		if a.loaded != nil {
			clear(a.loaded.Key)
		}
		t.Sessions.active[sessionIndex(h)] = nil
	}
	if t.Audit.Exclusive == h {
		t.Audit.Exclusive = 0
	}
}

// SaveSession takes the loaded session out of its slot and returns the contextID
// of the context that the caller makes of it.
func (t *TPM) SaveSession(h wire.Handle) (contextID uint64, err error) {
	if t.gapReached() {
		return 0, wire.RCContextGap
	}
	x := &t.Sessions
	a := x.entry(h)
	contextID = x.contextCounter
	x.contextCounter++
	a.loaded, a.contextID = nil, contextID
	return contextID, nil
}

// IsCurrentContext reports whether the context is the newest one of a session
// that is saved.
func (t *TPM) IsCurrentContext(h wire.Handle, contextID uint64) bool {
	a := t.Sessions.entry(h)
	return a != nil && a.loaded == nil && a.contextID == contextID
}

// RestoreSession loads the session of a context that IsCurrentContext accepted.
func (t *TPM) RestoreSession(s *Session) error {
	free, _ := t.SessionsAvailable()
	if free == 0 {
		return wire.RCSessionMemory
	}
	a := t.Sessions.entry(s.Handle)
	if oldest, _ := t.Sessions.oldest(); free == 1 && t.gapReached() && a.contextID != oldest {
		return wire.RCContextGap
	}
	a.loaded, a.contextID = s, 0
	return nil
}

// writeReset writes the saved sessions, which survive Restart and Resume.
func (x *Sessions) writeReset(w *wire.Writer) {
	w.U64(x.contextCounter)
	w.U32(uint32(len(x.active)))
	for _, a := range x.active {
		if a == nil || a.loaded != nil {
			w.U64(0)
			w.U8(0)
			continue
		}
		w.U64(a.contextID)
		writeBool(w, a.policy)
	}
}

func (x *Sessions) readReset(r *wire.Reader) {
	x.contextCounter = r.U64()
	n := r.U32()
	if n > maxSessions {
		r.Fail(wire.RCSize)
	}
	x.active = nil
	for range n {
		id, policy := r.U64(), readBool(r)
		if !r.OK() {
			return
		}
		if id == 0 {
			x.active = append(x.active, nil)
		} else {
			x.active = append(x.active, &activeSession{contextID: id, policy: policy})
		}
	}
}
