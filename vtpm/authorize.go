package vtpm

import (
	"bytes"
	"crypto/subtle"

	"github.com/bootseal/bootseal/vtpm/internal/command"
	"github.com/bootseal/bootseal/vtpm/internal/crypt"
	"github.com/bootseal/bootseal/vtpm/internal/engine"
	"github.com/bootseal/bootseal/vtpm/internal/wire"
)

// checkAuthorization checks that the i-th session authorizes its entity (Part 1,
// "Authorizations and acknowledgments").
func (x *execution) checkAuthorization(i int) error {
	u := &x.c.Sessions[i]
	if u.Entity == wire.HandlePlatform && x.presenceRequired() && !x.t.PhysicalPresence {
		return wire.RCPP
	}
	u.IncludeAuth = x.includeAuth(u)
	authUsed := u.Session == nil || u.IncludeAuth
	if authUsed && !x.t.DAExempt(u.Entity) {
		if err := x.t.CheckLockout(u.Entity == wire.HandleLockout); err != nil {
			return err
		}
	}
	if u.Session != nil && u.Session.IsPolicy() {
		if !x.policyAvailable(i) {
			return wire.RCAuthUnavailable
		}
		if err := x.checkPolicy(i); err != nil {
			return err
		}
	} else {
		if x.policyRequired(i) {
			return wire.RCAuthType
		}
		if !x.authValueAvailable(i) {
			return wire.RCAuthUnavailable
		}
	}
	var err error
	if u.Session == nil || u.Session.IsPolicy() && u.Session.Policy.PasswordNeeded {
		err = x.checkPassword(i)
	} else {
		err = x.checkHMAC(i)
	}
	if authUsed && u.Entity.Type() == wire.HTNVIndex {
		x.countPIN(u.Entity, err == nil)
	}
	return err
}

func (x *execution) presenceRequired() bool {
	return x.row.PresenceAlways() || x.t.PresenceDemanded(x.row.Code)
}

// includeAuth reports whether the entity's authValue is part of the HMAC key: in
// a policy session when the policy says so, in an HMAC session unless it is
// bound to the entity.
func (x *execution) includeAuth(u *engine.SessionUse) bool {
	switch s := u.Session; {
	case s == nil:
		return true
	case s.IsPolicy():
		return s.Policy.AuthValueNeeded || s.Policy.PasswordNeeded
	default:
		return s.Bind == nil || !bytes.Equal(s.Bind, x.t.BindValue(u.Entity))
	}
}

// policyRequired reports whether only a policy can authorize the entity for its
// role: always for DUP, and for ADMIN unless an object leaves it to authValue.
func (x *execution) policyRequired(i int) bool {
	switch x.row.Role(i) {
	case command.RoleDup:
		return true
	case command.RoleAdmin:
		o := x.t.Objects.At(x.c.Sessions[i].Entity)
		return o == nil || o.Has(wire.ObjAdminWithPolicy)
	}
	return false
}

// authValueAvailable reports whether the entity's authValue may authorize the
// command.
func (x *execution) authValueAvailable(i int) bool {
	h := x.c.Sessions[i].Entity
	switch h.Type() {
	case wire.HTPermanent, wire.HTPCR:
		return true
	case wire.HTTransient, wire.HTPersistent:
		o := x.t.Objects.At(h)
		if o.Sequence != nil {
			return true
		}
		admin := x.row.Role(i) == command.RoleAdmin && !o.Has(wire.ObjAdminWithPolicy)
		return !o.PublicOnly && (o.Has(wire.ObjUserWithAuth) || admin)
	case wire.HTNVIndex:
		return x.nvAuthValueAvailable(x.t.NV.At(h))
	}
	return false
}

func (x *execution) nvAuthValueAvailable(index *engine.NVIndex) bool {
	if x.row.NVWrite() {
		return index.Has(wire.NVAuthWrite)
	}
	switch index.Type() {
	case wire.NTPinFail, wire.NTPinPass:
		// Part 1, "PIN index": the authValue works while pinCount < pinLimit.
		pin := index.Counter()
		return index.Has(wire.NVWritten) && uint32(pin>>32) < uint32(pin)
	}
	return index.Has(wire.NVAuthRead)
}

// countPIN updates pinCount after the authValue of a PIN index was used.
func (x *execution) countPIN(h wire.Handle, ok bool) {
	index := x.t.NV.At(h)
	isFail, isPass := index.Type() == wire.NTPinFail, index.Type() == wire.NTPinPass
	if !isFail && !isPass || !index.Has(wire.NVWritten) {
		return
	}
	pin := index.Counter()
	count, limit := pin>>32, pin&0xFFFFFFFF
	switch {
	case isFail && ok:
		count = 0
	case isFail, isPass && ok:
		count++
	default:
		return
	}
	x.t.SetCounter(index, count<<32|limit)
}

// policyAvailable reports whether a policy may authorize the command.
func (x *execution) policyAvailable(i int) bool {
	h := x.c.Sessions[i].Entity
	switch h.Type() {
	case wire.HTPermanent:
		_, policy := x.t.AuthPolicy(h)
		return len(policy) != 0
	case wire.HTTransient, wire.HTPersistent:
		o := x.t.Objects.At(h)
		return !o.PublicOnly && o.Sequence == nil
	case wire.HTNVIndex:
		index := x.t.NV.At(h)
		switch {
		case len(index.Public.AuthPolicy) == 0:
			return false
		case x.policyRequired(i):
			return true
		case x.row.NVWrite():
			return index.Has(wire.NVPolicyWrite)
		}
		return index.Has(wire.NVPolicyRead)
	case wire.HTPCR:
		return x.t.PCR.HasAuth(int(h))
	}
	return false
}

// checkPassword compares the password that was sent with the authValue.
func (x *execution) checkPassword(i int) error {
	u := &x.c.Sessions[i]
	if subtle.ConstantTimeCompare(engine.TrimAuth(u.Auth), x.t.AuthValue(u.Entity)) == 1 {
		return nil
	}
	return x.authFailed(i)
}

// checkHMAC compares the HMAC that was sent with the one that is due (Part 1,
// "HMAC computation").
func (x *execution) checkHMAC(i int) error {
	u := &x.c.Sessions[i]
	s := u.Session
	key := x.hmacKey(u)
	defer clear(key)
	if len(key) == 0 && len(u.Auth) == 0 {
		return nil
	}
	parts := [][]byte{x.c.CpHash(s.AuthHash), u.NonceCaller, s.NonceTPM}
	if i == 0 && u.Entity != wire.HandleUnassigned {
		// The first session vouches for the nonces of the others that encrypt.
		if x.decrypt > 0 {
			parts = append(parts, x.c.Sessions[x.decrypt].Session.NonceTPM)
		}
		if x.encrypt > 0 && x.encrypt != x.decrypt {
			parts = append(parts, x.c.Sessions[x.encrypt].Session.NonceTPM)
		}
	}
	parts = append(parts, wire.Marshal(u.Attributes))
	if subtle.ConstantTimeCompare(u.Auth, crypt.HMAC(s.AuthHash, key, parts...)) == 1 {
		return nil
	}
	return x.authFailed(i)
}

// authFailed counts a failed authorization where it counts, and says which
// response code that is.
func (x *execution) authFailed(i int) error {
	u := &x.c.Sessions[i]
	entity := u.Entity
	if s := u.Session; s != nil {
		if s.LockoutBound {
			entity = wire.HandleLockout
		}
		if !s.DABound && (x.t.DAExempt(entity) || !u.IncludeAuth) {
			return wire.RCBadAuth
		}
	} else if x.t.DAExempt(entity) {
		return wire.RCBadAuth
	}
	x.t.CountFailure(entity == wire.HandleLockout)
	return wire.RCAuthFail
}
