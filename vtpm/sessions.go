package vtpm

import (
	"github.com/bootseal/bootseal/vtpm/internal/command"
	"github.com/bootseal/bootseal/vtpm/internal/engine"
	"github.com/bootseal/bootseal/vtpm/internal/wire"
)

// authorize reads the authorization area, checks every session in it, and
// decrypts the first parameter where a session says so.
func (x *execution) authorize(r *wire.Reader) error {
	x.decrypt, x.encrypt, x.audit = -1, -1, -1
	if x.tag == wire.STNoSessions {
		for i := range x.c.Handles {
			if x.row.Role(i) != command.RoleNone {
				return wire.RCAuthMissing
			}
		}
		x.prepareAudit()
		return nil
	}
	if x.row.NoSessions() {
		return wire.RCAuthContext
	}
	area := wire.NewReader(r.Bytes(r.Len()-len(x.c.Parameters)), x.t.Limits())
	for i := 0; area.Len() > 0; i++ {
		if err := x.readSession(area, i); err != nil {
			return err
		}
	}
	for i, h := range x.c.Handles {
		if x.row.Role(i) == command.RoleNone {
			continue
		}
		if i >= len(x.c.Sessions) {
			return wire.RCAuthMissing
		}
		x.c.Sessions[i].Entity = h
	}
	for i := range x.c.Sessions {
		if err := x.checkSession(i); err != nil {
			return err
		}
	}
	x.prepareAudit()
	return x.decryptParameter()
}

// readSession reads the i-th session and checks it as far as it can be without
// its entity.
func (x *execution) readSession(r *wire.Reader, i int) error {
	n := i + 1
	if i == engine.MaxSessions {
		return wire.RCSize.Session(n)
	}
	var handle wire.TPMISHAuthSession
	var nonce wire.TPM2BNonce
	var attributes wire.TPMASession
	var auth wire.TPM2BAuth
	handle.ReadPlus(r)
	nonce.Read(r)
	attributes.Read(r)
	auth.Read(r)
	if err := r.Err(); err != nil {
		return err.(wire.RC).Session(n)
	}
	u := engine.SessionUse{NonceCaller: nonce, Attributes: attributes, Auth: auth, Entity: wire.HandleUnassigned}
	if handle.Handle() == wire.HandlePassword {
		if attributes.Any(wire.SessEncrypt | wire.SessDecrypt | wire.SessAudit | wire.SessAuditExclusive | wire.SessAuditReset) {
			return wire.RCAttributes.Session(n)
		}
		if len(nonce) != 0 {
			return wire.RCNonce.Session(n)
		}
		x.c.Sessions = append(x.c.Sessions, u)
		return nil
	}
	u.Session = x.t.Sessions.Loaded(handle.Handle())
	if u.Session == nil {
		return wire.RCReferenceS0 + wire.RC(i)
	}
	if u.Session.Handle != handle.Handle() {
		return wire.RCHandle.Session(n)
	}
	for _, other := range x.c.Sessions {
		if other.Session == u.Session {
			return wire.RCHandle.Session(n)
		}
	}
	x.c.Sessions = append(x.c.Sessions, u)
	return x.assign(i)
}

// assign takes note of the session that decrypts, encrypts or audits; a command
// has at most one of each.
func (x *execution) assign(i int) error {
	n := i + 1
	u := &x.c.Sessions[i]
	for _, role := range []struct {
		attribute wire.TPMASession
		allowed   bool
		session   *int
	}{
		{wire.SessDecrypt, x.row.DecryptIn(), &x.decrypt},
		{wire.SessEncrypt, x.row.EncryptOut(), &x.encrypt},
	} {
		if !u.Attributes.Has(role.attribute) {
			continue
		}
		if !role.allowed || *role.session >= 0 {
			return wire.RCAttributes.Session(n)
		}
		if u.Session.Symmetric.Algorithm == wire.AlgNull {
			return wire.RCSymmetric.Session(n)
		}
		*role.session = i
	}
	if !u.Attributes.Has(wire.SessAudit) {
		return nil
	}
	if x.audit >= 0 || u.Session.IsPolicy() {
		return wire.RCAttributes.Session(n)
	}
	if u.Session.Audit && u.Attributes.Has(wire.SessAuditExclusive) && !u.Attributes.Has(wire.SessAuditReset) &&
		x.t.Audit.Exclusive != u.Session.Handle {
		return wire.RCExclusive
	}
	x.audit = i
	return nil
}

// checkSession checks one session: authorization where it has an entity,
// otherwise that it is there for a reason and its HMAC is right.
func (x *execution) checkSession(i int) error {
	n := i + 1
	u := &x.c.Sessions[i]
	if s := u.Session; s == nil {
		if u.Entity == wire.HandleUnassigned {
			return wire.RCHandle.Session(n)
		}
	} else {
		if s.IsTrial() {
			return wire.RCAttributes.Session(n)
		}
		if s.DABound {
			if err := x.t.CheckLockout(s.LockoutBound); err != nil {
				return err
			}
		}
		if u.Attributes.Has(wire.SessAudit) {
			x.c.CpHash(s.AuthHash)
		}
	}
	if u.Entity != wire.HandleUnassigned {
		return atSession(x.checkAuthorization(i), n)
	}
	if !u.Attributes.Any(wire.SessAudit | wire.SessEncrypt | wire.SessDecrypt) {
		return wire.RCAttributes.Session(n)
	}
	return atSession(x.checkHMAC(i), n)
}

// atSession adds the session's number to a code that can have one.
func atSession(err error, n int) error {
	if err == nil {
		return nil
	}
	return err.(wire.RC).Session(n)
}
