package vtpm_test

import (
	"bytes"
	"crypto"
	"encoding/binary"
	"testing"

	"github.com/google/go-tpm/tpm2"

	"github.com/bootseal/bootseal/vtpm/internal/wire"
)

const (
	audits    = wire.SessContinue | wire.SessAudit
	exclusive = audits | wire.SessAuditExclusive
	restarts  = audits | wire.SessAuditReset
)

// random is a command without handles, which any session may accompany.
func random(s ...*session) request {
	return request{cc: wire.CCGetRandom, sessions: s, params: params(uint16(8))}
}

// auditing runs a command with the session and returns whether the TPM says that
// the session is exclusive.
func (c *client) auditing(s *session, a wire.TPMASession) bool {
	c.Helper()
	c.ok(random(s.with(a)))
	return s.answered.Has(wire.SessAuditExclusive)
}

// TestExclusiveSession: a session is exclusive from its first audited command, or
// a reset, until any other command succeeds without it.
func TestExclusiveSession(t *testing.T) {
	c := open(t)
	a, b := c.hmacSession(), c.hmacSession()
	for _, x := range []struct {
		reason string
		s      *session // the session of the next command, nil for none
		attrs  wire.TPMASession
		want   bool
	}{
		{"the first use", a, audits, true},
		{"the second use, exclusivity demanded", a, exclusive, true},
		{"a command without a session", nil, 0, false},
		{"exclusivity is gone", a, audits, false},
		{"and does not come back", a, audits, false},
		{"a reset brings it back", a, restarts, true},
		{"demanding it at a reset is allowed", a, restarts | exclusive, true},
		{"another session's first use takes it", b, exclusive, true},
		{"the use of the session that lost it", a, audits, false},
		{"ends it for the other", b, audits, false},
		{"which can take it again", b, restarts, true},
	} {
		if x.s == nil {
			c.ok(random())
			continue
		}
		if have := c.auditing(x.s, x.attrs); have != x.want {
			t.Errorf("%s: exclusive is %v", x.reason, have)
		}
	}
}

// TestExclusiveDemanded: a command that demands exclusivity is not executed
// without it.
func TestExclusiveDemanded(t *testing.T) {
	c := open(t)
	s := c.hmacSession()
	c.auditing(s, audits)
	c.ok(random())
	c.fails(random(s.with(exclusive)), wire.RCExclusive)
}

// TestStaysExclusive: commands that fail, and those that take no sessions, leave
// exclusivity alone; so does a way out of the TPM and back.
func TestStaysExclusive(t *testing.T) {
	c := open(t)
	s, other := c.hmacSession(), c.hmacSession()
	c.auditing(s, audits)
	c.fails(request{cc: wire.CCGetRandom}, wire.RCInsufficient.Param(1))
	c.ok(request{cc: wire.CCFlushContext, params: params(other.handle)})
	if !c.auditing(s, exclusive) {
		t.Error("exclusivity is lost")
	}
	c.saveAndLoad(s)
	if !c.auditing(s, exclusive) {
		t.Error("exclusivity is lost with the context")
	}
}

// TestExclusiveHandleReused: exclusivity belongs to a session, not to its handle.
func TestExclusiveHandleReused(t *testing.T) {
	c := open(t)
	s := c.hmacSession()
	c.auditing(s, wire.SessAudit) // and ends
	again := c.hmacSession()
	if s.handle != again.handle {
		t.Fatalf("handles %v and %v", s.handle, again.handle)
	}
	c.auditing(again, audits)
	c.ok(random())
	c.fails(random(again.with(exclusive)), wire.RCExclusive)
}

// TestAuditEndsBinding: a session that audits is not bound any more, from the next
// command on.
func TestAuditEndsBinding(t *testing.T) {
	c := open(t)
	e := c.setAuth(owner, "owner auth")
	s := c.start(wire.SEHMAC, wire.AlgSHA256, noSym, e).with(audits)
	c.ok(keepAuth(e, s))
	c.fails(keepAuth(e, s), wire.RCBadAuth.Session(1))
	c.ok(keepAuth(e, s.authorizes("owner auth")))
}

// auditDigest returns the session's audit digest, from an attestation that nobody
// signs.
func (c *client) auditDigest(s *session) []byte {
	c.Helper()
	x, err := tpm2.GetSessionAuditDigest{
		PrivacyAdminHandle: tpm2.TPMRHEndorsement,
		SignHandle:         tpm2.TPMRHNull,
		SessionHandle:      tpm2.TPMHandle(s.handle),
	}.Execute(c.TPM)
	if err != nil {
		c.Fatal(err)
	}
	attest, err := x.AuditInfo.Contents()
	if err != nil {
		c.Fatal(err)
	}
	info, err := attest.Attested.SessionAudit()
	if err != nil {
		c.Fatal(err)
	}
	return info.SessionDigest.Buffer
}

// follow runs a command that must succeed and extends an audit digest with what
// was on the wire.
func (c *client) follow(h crypto.Hash, old []byte, r request) []byte {
	c.Helper()
	command := c.encode(r)
	response := c.Execute(r.locality, command)
	if x := c.receive(r, response); x.rc != wire.RCSuccess {
		c.Fatal(x.rc)
	}
	var names []byte
	for _, e := range r.handles {
		names = append(names, e.nameOrHandle()...)
	}
	params := response[10:]
	if r.sessions != nil {
		n := binary.BigEndian.Uint32(params)
		params = params[4:][:n]
	}
	cpHash := digest(h, wire.Marshal(r.cc), names, command[len(command)-len(r.params):])
	rpHash := digest(h, make([]byte, 4), wire.Marshal(r.cc), params)
	return digest(h, old, cpHash, rpHash)
}

// TestSessionAuditDigest: the digest is a chain over what was on the wire, starts
// with the first audited command and again with a reset, and leaves out what
// failed.
func TestSessionAuditDigest(t *testing.T) {
	c := open(t)
	e := c.setAuth(owner, "owner auth")
	s := c.start(wire.SEHMAC, wire.AlgSHA384, aes128).authorizes("owner auth")
	h := crypto.SHA384
	r := keepAuth(e, s.with(audits|wire.SessDecrypt))
	want := c.follow(h, make([]byte, h.Size()), r)
	s.tamper = true
	c.fails(r, wire.RCBadAuth.Session(1))
	s.tamper = false
	s.auth, s.paramAuth = nil, nil
	want = c.follow(h, want, random(s.with(audits|wire.SessEncrypt)))
	if have := c.auditDigest(s); !bytes.Equal(have, want) {
		t.Errorf("digest %x, want %x", have, want)
	}
	want = c.follow(h, make([]byte, h.Size()), random(s.with(restarts)))
	if have := c.auditDigest(s); !bytes.Equal(have, want) {
		t.Errorf("after a reset: digest %x, want %x", have, want)
	}
}

// commandAudit returns the state of the command audit, from an attestation that
// nobody signs.
func (c *client) commandAudit() wire.TPMSCommandAuditInfo {
	c.Helper()
	x := c.ok(request{
		wire.CCGetCommandAuditDigest, []entity{endorsement, {handle: wire.HandleNull}},
		[]*session{pw(""), pw("")}, params("", wire.AlgNull), 0,
	})
	var attest wire.TPMSAttest
	r := wire.NewReader(x.params[2:], wire.DefaultLimits())
	attest.Read(r)
	if err := r.Err(); err != nil {
		c.Fatal(err)
	}
	return attest.Attested.CommandAudit
}

// TestCommandAudit: the commands that are listed are chained, with sessions or
// without, encrypted as they are on the wire, unless they fail. The command that
// lists them is always one of them.
func TestCommandAudit(t *testing.T) {
	c := open(t)
	before := c.commandAudit()
	if len(before.AuditDigest) != 0 {
		t.Fatalf("a new TPM has the digest %x", before.AuditDigest)
	}
	h := c.hash(wire.Alg(before.DigestAlg))
	list := params(wire.AlgNull, uint32(2), wire.CCGetRandom, wire.CCHierarchyChangeAuth, uint32(0))
	want := c.follow(h, make([]byte, h.Size()), request{wire.CCSetCommandCodeAuditStatus, []entity{owner}, []*session{pw("")}, list, 0})
	want = c.follow(h, want, random())
	s := c.start(wire.SEHMAC, wire.AlgSHA512, aes256)
	want = c.follow(h, want, random(s.with(wire.SessContinue|wire.SessEncrypt)))
	want = c.follow(h, want, keepAuth(owner, s.with(audits|wire.SessDecrypt)))
	c.fails(keepAuth(owner, pw("wrong")), wire.RCBadAuth.Session(1))
	c.ok(request{cc: wire.CCReadClock})
	after := c.commandAudit()
	if !bytes.Equal(after.AuditDigest, want) || after.AuditCounter != before.AuditCounter+1 {
		t.Errorf("counter %d, after %d, digest %x, want %x", after.AuditCounter, before.AuditCounter, after.AuditDigest, want)
	}
}
