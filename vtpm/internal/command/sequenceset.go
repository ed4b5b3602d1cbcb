package command

import "github.com/bootseal/bootseal/vtpm/internal/engine"

// Sequence returns the sequence object with the authValue and the state, as
// engine.Sequence.Marshal returned it.
func (Set) Sequence(auth, state []byte) (*engine.Object, error) {
	s, err := unmarshalSequence(state)
	if err != nil {
		return nil, err
	}
	return newSequence(s, auth), nil
}
