package command

import (
	"github.com/bootseal/bootseal/vtpm/internal/crypt"
	"github.com/bootseal/bootseal/vtpm/internal/engine"
	"github.com/bootseal/bootseal/vtpm/internal/wire"
)

// policySession returns the policy or trial session of a handle that the
// pipeline found.
func policySession(t *engine.TPM, h wire.TPMISHPolicy) *engine.Session {
	return t.Sessions.Loaded(h.Handle())
}

// extendPolicy is how every assertion enters the policyDigest (Part 1, "Policy
// digest"): policyDigest := H(policyDigest || commandCode || parts).
func extendPolicy(s *engine.Session, cc wire.CC, parts ...[]byte) {
	h := crypt.New(s.AuthHash)
	h.Write(s.Policy.Digest)
	h.Write(wire.Marshal(cc))
	for _, p := range parts {
		h.Write(p)
	}
	s.Policy.Digest = h.Sum(nil)
}

// policyUpdate is Part 3, "Policy digest update function (PolicyUpdate())": the
// policyRef enters in a step of its own, even when it is empty.
func policyUpdate(s *engine.Session, cc wire.CC, name, policyRef []byte) {
	extendPolicy(s, cc, name)
	s.Policy.Digest = crypt.Digest(s.AuthHash, s.Policy.Digest, policyRef)
}

// resetPolicyDigest sets the policyDigest to a Zero Digest, which is how an OR or
// an authority takes the place of what was asserted before.
func resetPolicyDigest(s *engine.Session) {
	s.Policy.Digest = make([]byte, crypt.Size(s.AuthHash))
}

// restrict makes the session good only for a command whose hash of the kind is
// digest.
func restrict(s *engine.Session, kind engine.Restriction, digest []byte) {
	s.Policy.Restriction, s.Policy.RestrictionKind = digest, kind
}
