package command

import (
	"encoding"
	"hash"

	"github.com/bootseal/bootseal/vtpm/internal/crypt"
	"github.com/bootseal/bootseal/vtpm/internal/engine"
	"github.com/bootseal/bootseal/vtpm/internal/wire"
)

// The states of sequences in saved contexts: a byte for the kind, then the kind's
// own fields.
const (
	kindHash uint8 = iota
	kindMAC
	kindEvent
)

// Marshal returns the state.
func (s *hashSequence) Marshal() ([]byte, error) {
	var w wire.Writer
	w.U8(kindHash)
	wire.TPMIYesNo(s.begun).Write(&w)
	wire.TPMIYesNo(s.safe).Write(&w)
	err := writeHash(&w, s.alg, s.state)
	return w.Data(), err
}

// Marshal returns the state, the key included.
func (s *macSequence) Marshal() ([]byte, error) {
	state, err := s.mac.MarshalBinary()
	return append([]byte{kindMAC}, state...), err
}

// Marshal returns the state.
func (s *eventSequence) Marshal() ([]byte, error) {
	var w wire.Writer
	w.U8(kindEvent)
	for i, alg := range s.algs {
		if err := writeHash(&w, alg, s.states[i]); err != nil {
			return nil, err
		}
	}
	return w.Data(), nil
}

// unmarshalSequence undoes engine.Sequence.Marshal.
func unmarshalSequence(data []byte) (engine.Sequence, error) {
	r := wire.NewReader(data, &wire.Limits{})
	switch r.U8() {
	case kindHash:
		var begun, safe wire.TPMIYesNo
		begun.Read(r)
		safe.Read(r)
		s := &hashSequence{begun: bool(begun), safe: bool(safe)}
		s.alg, s.state = readHash(r)
		return s, ended(r)
	case kindMAC:
		s := &macSequence{mac: new(crypt.MAC)}
		return s, s.mac.UnmarshalBinary(r.Rest())
	case kindEvent:
		s := new(eventSequence)
		for r.OK() && r.Len() != 0 {
			alg, state := readHash(r)
			s.algs, s.states = append(s.algs, alg), append(s.states, state)
		}
		return s, ended(r)
	}
	return nil, wire.RCValue
}

func writeHash(w *wire.Writer, alg wire.Alg, h hash.Hash) error {
	state, err := h.(encoding.BinaryMarshaler).MarshalBinary()
	alg.Write(w)
	w.Sized(state)
	return err
}

// readHash reads a hash in progress, or fails.
func readHash(r *wire.Reader) (wire.Alg, hash.Hash) {
	alg := wire.Alg(r.U16())
	state := r.Sized(r.Len())
	h := crypt.New(alg)
	if h == nil || h.(encoding.BinaryUnmarshaler).UnmarshalBinary(state) != nil {
		r.Fail(wire.RCValue)
	}
	return alg, h
}

// ended returns the reader's error, or TPM_RC_SIZE where something is left.
func ended(r *wire.Reader) error {
	if r.OK() && r.Len() != 0 {
		r.Fail(wire.RCSize)
	}
	return r.Err()
}
