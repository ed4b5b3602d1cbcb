package command

import (
	"github.com/bootseal/bootseal/vtpm/internal/engine"
	"github.com/bootseal/bootseal/vtpm/internal/wire"
)

type hmacStartIn struct {
	Handle   wire.TPMIDHObject
	Auth     wire.TPM2BAuth
	InScheme wire.TPMIAlgMACScheme `tpm:"+"`
}

type hmacStartOut struct {
	SequenceHandle wire.Handle
}

// TPM2_HMAC_Start, Part 3, 17.2: start an HMAC sequence, or with a symmetric cipher
// key a CMAC sequence, as TPM2_MAC_Start, which has the same code.
func hmacStart(t *engine.TPM, in *hmacStartIn) (*hmacStartOut, error) {
	key := t.Objects.At(in.Handle.Handle())
	alg, err := macAlg(key, wire.Alg(in.InScheme))
	if err != nil {
		return nil, err
	}
	if err := t.Objects.HasRoom(); err != nil {
		return nil, err
	}
	mac, err := newMAC(key, alg)
	if err != nil {
		return nil, err
	}
	h, err := t.Objects.Add(newSequence(&macSequence{mac: mac}, engine.TrimAuth(in.Auth)))
	if err != nil {
		return nil, err
	}
	return &hmacStartOut{SequenceHandle: h}, nil
}
