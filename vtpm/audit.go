package vtpm

import (
	"github.com/bootseal/bootseal/vtpm/internal/crypt"
	"github.com/bootseal/bootseal/vtpm/internal/wire"
)

// prepareAudit computes the cpHash for the command audit while the parameters are
// still as they were sent.
func (x *execution) prepareAudit() {
	if x.t.Audit.Audited(x.row.Code) {
		x.c.CpHash(x.t.Audit.Alg)
	}
}

// auditResponse extends the audit digests of the audit session and of the command
// audit, and keeps track of the exclusive audit session (Part 1, "Audit").
func (x *execution) auditResponse(params []byte) {
	if x.audit >= 0 {
		x.auditSession(params)
	} else if !x.row.NoSessions() {
		x.t.Audit.Exclusive = 0
	}
	if x.t.Audit.Audited(x.row.Code) {
		alg := x.t.Audit.Alg
		x.t.ExtendAudit(x.c.CpHash(alg), x.rpHash(alg, params))
	}
}

func (x *execution) auditSession(params []byte) {
	u := &x.c.Sessions[x.audit]
	s := u.Session
	if !s.Audit || u.Attributes.Has(wire.SessAuditReset) {
		s.Audit = true
		s.Bind = nil // an audit session is no longer bound
		s.AuditDigest = make([]byte, crypt.Size(s.AuthHash))
		x.t.Audit.Exclusive = s.Handle
	} else if x.t.Audit.Exclusive != s.Handle {
		x.t.Audit.Exclusive = 0
	}
	u.Attributes &^= wire.SessAuditExclusive
	if x.t.Audit.Exclusive == s.Handle {
		u.Attributes |= wire.SessAuditExclusive
	}
	s.AuditDigest = crypt.Digest(s.AuthHash, s.AuditDigest, x.c.CpHash(s.AuthHash), x.rpHash(s.AuthHash, params))
}
