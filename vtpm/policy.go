package vtpm

import (
	"crypto/subtle"
	"encoding/binary"

	"github.com/bootseal/bootseal/vtpm/internal/command"
	"github.com/bootseal/bootseal/vtpm/internal/crypt"
	"github.com/bootseal/bootseal/vtpm/internal/engine"
	"github.com/bootseal/bootseal/vtpm/internal/wire"
)

// checkPolicy checks that the i-th session, a policy session, satisfies the
// entity's authPolicy and that what the policy demanded holds now (Part 1,
// "Policy session" and "Policy checks").
func (x *execution) checkPolicy(i int) error {
	u := &x.c.Sessions[i]
	p := &u.Session.Policy
	if x.row.Code == wire.CCPolicySecret && !p.PasswordNeeded && !p.AuthValueNeeded {
		return wire.RCMode
	}
	if p.PCRChecked && p.PCRCounter != x.t.PCR.UpdateCounter {
		return wire.RCPCRChanged
	}
	alg, digest := x.t.AuthPolicy(u.Entity)
	if subtle.ConstantTimeCompare(p.Digest, digest) != 1 || alg != u.Session.AuthHash {
		return wire.RCPolicyFail
	}
	if p.Timeout != 0 && (p.Timeout < x.t.Clock.Time || p.Epoch != x.t.Clock.Epoch) {
		return wire.RCExpired
	}
	switch role := x.row.Role(i); {
	case p.CommandCode != 0 && p.CommandCode != x.row.Code:
		return wire.RCPolicyCC
	case p.CommandCode == 0 && (role == command.RoleAdmin || role == command.RoleDup):
		return wire.RCPolicyFail
	}
	if !localityAllowed(p.Locality, x.locality) {
		return wire.RCLocality
	}
	if p.PresenceRequired && !x.t.PhysicalPresence {
		return wire.RCPP
	}
	if !x.restrictionHolds(u.Session) {
		return wire.RCPolicyFail
	}
	if p.CheckNVWritten {
		index := x.t.NV.At(u.Entity)
		if index == nil || index.Has(wire.NVWritten) != p.NVWritten {
			return wire.RCPolicyFail
		}
	}
	return nil
}

// localityAllowed reports whether a TPMA_LOCALITY allows the locality: a bit for
// each of 0 to 4, or the number itself from 32 on. Zero allows all.
func localityAllowed(allowed, locality uint8) bool {
	switch {
	case allowed == 0:
		return true
	case locality < 5:
		return allowed < 32 && allowed&(1<<locality) != 0
	case locality > 31:
		return allowed == locality
	}
	return false
}

// restrictionHolds reports whether the command is the one that the policy was
// restricted to.
func (x *execution) restrictionHolds(s *engine.Session) bool {
	var have []byte
	switch s.Policy.RestrictionKind {
	case engine.RestrictNothing:
		return true
	case engine.RestrictCpHash:
		have = x.c.CpHash(s.AuthHash)
	case engine.RestrictNameHash:
		have = x.c.NameHash(s.AuthHash)
	case engine.RestrictParameters:
		have = x.c.ParametersHash(s.AuthHash)
	case engine.RestrictTemplate:
		have = x.templateHash(s.AuthHash)
	}
	return subtle.ConstantTimeCompare(have, s.Policy.Restriction) == 1
}

// templateHash hashes the template, the second parameter of a command that
// creates an object; nil for any other command or a malformed one.
func (x *execution) templateHash(alg wire.Alg) []byte {
	switch x.row.Code {
	case wire.CCCreate, wire.CCCreatePrimary, wire.CCCreateLoaded:
	default:
		return nil
	}
	rest := x.c.Parameters
	var field []byte
	for range 2 {
		if len(rest) < 2 {
			return nil
		}
		n := int(binary.BigEndian.Uint16(rest))
		if len(rest) < 2+n {
			return nil
		}
		field, rest = rest[2:2+n], rest[2+n:]
	}
	return crypt.Digest(alg, field)
}
