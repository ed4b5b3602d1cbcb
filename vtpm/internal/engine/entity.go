package engine

import (
	"bytes"

	"github.com/bootseal/bootseal/vtpm/internal/crypt"
	"github.com/bootseal/bootseal/vtpm/internal/wire"
)

// The entities that a handle can name, by what authorizing them needs (Part 1,
// "Authorizations and acknowledgments"). The handles have passed Exists.

// Exists returns nil when the handle names something that is in the TPM and can
// be used: TPM_RC_REFERENCE_H0 for what could be loaded, a format-one code
// otherwise. The caller adds the handle's position to either.
func (t *TPM) Exists(h wire.Handle, cc wire.CC) error {
	switch h.Type() {
	case wire.HTPermanent:
		return t.permanentExists(h)
	case wire.HTTransient:
		if t.Objects.At(h) == nil {
			return wire.RCReferenceH0
		}
	case wire.HTPersistent:
		return t.persistentExists(h, cc)
	case wire.HTHMACSession, wire.HTPolicySession:
		s := t.Sessions.Loaded(h)
		if s == nil {
			return wire.RCReferenceH0
		}
		if s.Handle != h {
			return wire.RCHandle
		}
	case wire.HTNVIndex:
		return t.nvExists(h)
	case wire.HTPCR:
	default:
		return wire.RCValue
	}
	return nil
}

func (t *TPM) permanentExists(h wire.Handle) error {
	switch h {
	case wire.HandlePassword, wire.HandleLockout:
		return nil
	case wire.HandleOwner, wire.HandleEndorsement, wire.HandlePlatform, wire.HandleNull:
		if !t.Hierarchies.Enabled(h) {
			return wire.RCHierarchy
		}
		return nil
	}
	switch {
	case t.ACTs.At(h) == nil:
		return wire.RCValue
	case !t.Hierarchies.Platform.Enabled: // whose authValue is the timer's
		return wire.RCHierarchy
	}
	return nil
}

func (t *TPM) persistentExists(h wire.Handle, cc wire.CC) error {
	owner := wire.HandleOwner
	if h >= wire.PlatformPersistent {
		owner = wire.HandlePlatform
	}
	o := t.Objects.At(h)
	if !t.Hierarchies.Enabled(owner) || o == nil {
		return wire.RCHandle
	}
	if o.Hierarchy == wire.HandleEndorsement && !t.Hierarchies.Endorsement.Enabled && cc != wire.CCEvictControl {
		return wire.RCHandle
	}
	return nil
}

func (t *TPM) nvExists(h wire.Handle) error {
	x := t.NV.At(h)
	if x == nil {
		return wire.RCHandle
	}
	enabled := t.Hierarchies.Owner.Enabled
	if x.Has(wire.NVPlatformCreate) {
		enabled = t.Hierarchies.PlatformNVEnabled
	}
	if !enabled {
		return wire.RCHandle
	}
	return nil
}

// Name returns the entity's Name (Part 1, "Names"): empty for an object without
// a nameAlg, the handle for what has no public area.
func (t *TPM) Name(h wire.Handle) []byte {
	switch h.Type() {
	case wire.HTTransient, wire.HTPersistent:
		return t.Objects.At(h).Name
	case wire.HTNVIndex:
		return t.NV.At(h).Name()
	}
	return crypt.HandleName(h)
}

// AuthValue returns the entity's authValue without trailing zeros. The caller
// must not change it.
func (t *TPM) AuthValue(h wire.Handle) []byte {
	var auth []byte
	switch h.Type() {
	case wire.HTPermanent:
		if x := t.Hierarchies.At(h); x != nil {
			auth = x.Auth
		} else if t.ACTs.At(h) != nil {
			auth = t.Hierarchies.Platform.Auth
		}
	case wire.HTTransient, wire.HTPersistent:
		auth = t.Objects.At(h).Sensitive.AuthValue
	case wire.HTNVIndex:
		auth = t.NV.At(h).Auth
	case wire.HTPCR:
		auth = t.PCR.authOf(int(h))
	}
	return TrimAuth(auth)
}

// TrimAuth returns auth without its trailing zeros, which do not count in an
// authValue (Part 1, "Authorization values").
func TrimAuth(auth []byte) []byte { return bytes.TrimRight(auth, "\x00") }

// AuthPolicy returns the entity's authPolicy and its hash algorithm; TPM_ALG_NULL
// where there is none.
func (t *TPM) AuthPolicy(h wire.Handle) (wire.Alg, []byte) {
	switch h.Type() {
	case wire.HTPermanent:
		if x := t.Hierarchies.At(h); x != nil && h != wire.HandleNull {
			return x.PolicyAlg, x.Policy
		} else if a := t.ACTs.At(h); a != nil {
			return a.PolicyAlg, a.Policy
		}
	case wire.HTTransient, wire.HTPersistent:
		o := t.Objects.At(h)
		return o.Public.NameAlg, o.Public.AuthPolicy
	case wire.HTNVIndex:
		x := t.NV.At(h)
		return x.Public.NameAlg, x.Public.AuthPolicy
	case wire.HTPCR:
		return t.PCR.policyOf(int(h))
	}
	return wire.AlgNull, nil
}

// DAExempt reports whether a failed authorization of the entity does not count
// for the dictionary attack protection.
func (t *TPM) DAExempt(h wire.Handle) bool {
	switch h.Type() {
	case wire.HTPermanent:
		return h != wire.HandleLockout
	case wire.HTTransient, wire.HTPersistent:
		return t.Objects.At(h).Has(wire.ObjNoDA)
	case wire.HTNVIndex:
		return t.NV.At(h).Has(wire.NVNoDA)
	}
	return true
}

// HierarchyOf returns the hierarchy that the entity belongs to.
func (t *TPM) HierarchyOf(h wire.Handle) wire.Handle {
	switch h.Type() {
	case wire.HTPermanent:
		switch h {
		case wire.HandlePlatform, wire.HandleEndorsement, wire.HandleNull:
			return h
		}
	case wire.HTNVIndex:
		if t.NV.At(h).Has(wire.NVPlatformCreate) {
			return wire.HandlePlatform
		}
	case wire.HTTransient, wire.HTPersistent:
		return t.Objects.At(h).Hierarchy
	}
	return wire.HandleOwner
}

// Proof returns the proof of the hierarchy.
func (t *TPM) Proof(hierarchy wire.Handle) []byte {
	if x := t.Hierarchies.At(hierarchy); x != nil && hierarchy != wire.HandleLockout {
		return x.Proof
	}
	return t.Hierarchies.Null.Proof
}

// BindValue returns what binds a session to the entity: its Name and authValue
// (Part 1, "Bound session"). A change of either ends the binding.
func (t *TPM) BindValue(h wire.Handle) []byte {
	name, auth := t.Name(h), t.AuthValue(h)
	bind := make([]byte, 0, len(name)+len(auth)+1)
	bind = append(bind, byte(len(name)))
	bind = append(bind, name...)
	return append(bind, auth...)
}
