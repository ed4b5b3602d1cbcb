package command

import (
	"github.com/bootseal/bootseal/vtpm/internal/crypt"
	"github.com/bootseal/bootseal/vtpm/internal/engine"
	"github.com/bootseal/bootseal/vtpm/internal/wire"
)

type policySignedIn struct {
	AuthObject    wire.TPMIDHObject
	PolicySession wire.TPMISHPolicy
	NonceTPM      wire.TPM2BNonce
	CPHashA       wire.TPM2BDigest
	PolicyRef     wire.TPM2BNonce
	Expiration    int32
	Auth          wire.TPMTSignature
}

type policySignedOut struct {
	Timeout      wire.TPM2BTimeout
	PolicyTicket wire.TPMTTKAuth
}

// TPM2_PolicySigned, Part 3, 23.3: make a policy depend on a signed
// authorization.
func policySigned(t *engine.TPM, in *policySignedIn) (*policySignedOut, error) {
	key := t.Objects.At(in.AuthObject.Handle())
	s := policySession(t, in.PolicySession)
	a := approval{cpHash: in.CPHashA, policyRef: in.PolicyRef, name: key.Name}
	if !s.IsTrial() {
		a.timeout = authTimeout(t, s, in.Expiration, in.NonceTPM)
		if err := a.check(t, s, in.NonceTPM, 4); err != nil {
			return nil, err
		}
		if err := verifyAuthorization(key, in); err != nil {
			return nil, err
		}
	}
	a.record(s, wire.CCPolicySigned)
	out := &policySignedOut{PolicyTicket: nullTicket(wire.STAuthSigned)}
	if in.Expiration < 0 && !s.IsTrial() {
		out.Timeout, out.PolicyTicket = a.ticket(t, wire.STAuthSigned, key.Hierarchy, len(in.NonceTPM) == 0)
	}
	return out, nil
}

// verifyAuthorization verifies the signature over
// aHash = H(nonceTPM || expiration || cpHashA || policyRef).
func verifyAuthorization(key *engine.Object, in *policySignedIn) error {
	var expiration wire.Writer
	expiration.U32(uint32(in.Expiration))
	aHash := crypt.Digest(in.Auth.Hash, in.NonceTPM, expiration.Data(), in.CPHashA, in.PolicyRef)
	var private *crypt.Private
	if key.Public.Type == wire.AlgKeyedHash && !key.PublicOnly {
		var err error
		if private, err = key.Private(); err != nil {
			return err
		}
	}
	if err := crypt.Verify(&key.Public, private, aHash, &in.Auth); err != nil {
		return err.(wire.RC).Param(5)
	}
	return nil
}
