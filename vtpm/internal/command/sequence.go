package command

import (
	"hash"

	"github.com/bootseal/bootseal/vtpm/internal/crypt"
	"github.com/bootseal/bootseal/vtpm/internal/engine"
	"github.com/bootseal/bootseal/vtpm/internal/wire"
)

// Sequences: hashes, MACs and events over more data than fits in one command (Part
// 1, "Hash, MAC, and Event Sequences"). How they are saved is in
// sequencecontext.go.

// sequence is what the three kinds have in common.
type sequence interface {
	engine.Sequence
	update(data []byte)
}

// hashSequence is a hash sequence.
type hashSequence struct {
	alg   wire.Alg
	state hash.Hash
	begun bool // data was seen
	safe  bool // it does not start as what the TPM says about itself
}

func newHashSequence(alg wire.Alg) *hashSequence {
	return &hashSequence{alg: alg, state: crypt.New(alg)}
}

// update looks at the first data alone, even when it is too short to be sure.
func (s *hashSequence) update(data []byte) {
	if !s.begun {
		s.begun, s.safe = true, safeToSign(data)
	}
	s.state.Write(data)
}

// Wipe has nothing to clear: what is hashed is no secret of the TPM.
func (s *hashSequence) Wipe() {}

// macSequence is an HMAC or CMAC sequence.
type macSequence struct {
	mac *crypt.MAC
}

func (s *macSequence) update(data []byte) { s.mac.Write(data) }

// Wipe clears the key.
func (s *macSequence) Wipe() { s.mac.Clear() }

// eventSequence is an event sequence: a hash of the algorithm of every bank.
type eventSequence struct {
	algs   []wire.Alg
	states []hash.Hash
}

func newEventSequence(algs []wire.Alg) *eventSequence {
	s := &eventSequence{algs: algs}
	for _, alg := range algs {
		s.states = append(s.states, crypt.New(alg))
	}
	return s
}

func (s *eventSequence) update(data []byte) {
	for _, h := range s.states {
		h.Write(data)
	}
}

// Wipe has nothing to clear.
func (s *eventSequence) Wipe() {}

// digests returns the digests of the event.
func (s *eventSequence) digests() wire.TPMLDigestValues {
	var list wire.TPMLDigestValues
	for i, alg := range s.algs {
		list = append(list, wire.TPMTHA{HashAlg: alg, Digest: s.states[i].Sum(nil)})
	}
	return list
}
