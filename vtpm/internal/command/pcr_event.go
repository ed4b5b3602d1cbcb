package command

import (
	"github.com/bootseal/bootseal/vtpm/internal/crypt"
	"github.com/bootseal/bootseal/vtpm/internal/engine"
	"github.com/bootseal/bootseal/vtpm/internal/wire"
)

type pcrEventIn struct {
	PCRHandle wire.TPMIDHPCR `tpm:"+"`
	EventData wire.TPM2BEvent
}

type pcrEventOut struct {
	Digests wire.TPMLDigestValues
}

// TPM2_PCR_Event, Part 3, 22.3: hash an event with the algorithm of every bank that
// the TPM can have, extend a PCR with the digests, and return them. TPM_RH_NULL
// extends none.
func pcrEvent(t *engine.TPM, in *pcrEventIn) (*pcrEventOut, error) {
	extend := in.PCRHandle.Handle() != wire.HandleNull
	pcr := int(in.PCRHandle)
	if extend && !t.PCR.MayExtend(pcr, t.Command.Locality) {
		return nil, wire.RCLocality
	}
	out := new(pcrEventOut)
	for _, alg := range t.Profile.Banks {
		out.Digests = append(out.Digests, wire.TPMTHA{HashAlg: alg, Digest: crypt.Digest(alg, in.EventData)})
	}
	if extend {
		extendPCR(t, pcr, out.Digests)
	}
	return out, nil
}
