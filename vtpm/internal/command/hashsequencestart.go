package command

import (
	"github.com/bootseal/bootseal/vtpm/internal/engine"
	"github.com/bootseal/bootseal/vtpm/internal/wire"
)

type hashSequenceStartIn struct {
	Auth    wire.TPM2BAuth
	HashAlg wire.TPMIAlgHash `tpm:"+"`
}

type hashSequenceStartOut struct {
	SequenceHandle wire.Handle
}

// TPM2_HashSequenceStart, Part 3, 17.4: start a hash sequence or, with
// TPM_ALG_NULL, an event sequence.
func hashSequenceStart(t *engine.TPM, in *hashSequenceStartIn) (*hashSequenceStartOut, error) {
	var s engine.Sequence
	if alg := wire.Alg(in.HashAlg); alg != wire.AlgNull {
		s = newHashSequence(alg)
	} else {
		s = newEventSequence(t.Profile.Banks)
	}
	h, err := t.Objects.Add(newSequence(s, engine.TrimAuth(in.Auth)))
	if err != nil {
		return nil, err
	}
	return &hashSequenceStartOut{SequenceHandle: h}, nil
}
