package command

import (
	"github.com/bootseal/bootseal/vtpm/internal/engine"
	"github.com/bootseal/bootseal/vtpm/internal/wire"
)

type policySecretIn struct {
	AuthHandle    wire.TPMIDHEntity
	PolicySession wire.TPMISHPolicy
	NonceTPM      wire.TPM2BNonce
	CPHashA       wire.TPM2BDigest
	PolicyRef     wire.TPM2BNonce
	Expiration    int32
}

type policySecretOut struct {
	Timeout      wire.TPM2BTimeout
	PolicyTicket wire.TPMTTKAuth
}

// TPM2_PolicySecret, Part 3, 23.4: make a policy depend on the authorization of
// another entity, which the authorization of this command proves.
func policySecret(t *engine.TPM, in *policySecretIn) (*policySecretOut, error) {
	entity := in.AuthHandle.Handle()
	counted := pinType(t, entity)
	if t.Hierarchies.ReadOnly && counted != wire.NTOrdinary {
		return nil, wire.RCReadOnly
	}
	s := policySession(t, in.PolicySession)
	a := approval{cpHash: in.CPHashA, policyRef: in.PolicyRef, name: t.Name(entity)}
	if !s.IsTrial() {
		a.timeout = authTimeout(t, s, in.Expiration, in.NonceTPM)
		if err := a.check(t, s, in.NonceTPM, 4); err != nil {
			return nil, err
		}
	}
	a.record(s, wire.CCPolicySecret)
	out := &policySecretOut{PolicyTicket: nullTicket(wire.STAuthSecret)}
	// A ticket would let a PIN be used more often than it counts.
	if in.Expiration < 0 && !s.IsTrial() && counted != wire.NTPinPass {
		out.Timeout, out.PolicyTicket = a.ticket(t, wire.STAuthSecret, t.HierarchyOf(entity), len(in.NonceTPM) == 0)
	}
	return out, nil
}

// pinType returns TPM_NT_PIN_PASS or TPM_NT_PIN_FAIL for such an index, and
// TPM_NT_ORDINARY for any other entity.
func pinType(t *engine.TPM, h wire.Handle) wire.NT {
	if x := t.NV.At(h); x != nil && (x.Type() == wire.NTPinPass || x.Type() == wire.NTPinFail) {
		return x.Type()
	}
	return wire.NTOrdinary
}
