package command

import (
	"bytes"

	"github.com/bootseal/bootseal/vtpm/internal/engine"
	"github.com/bootseal/bootseal/vtpm/internal/wire"
)

type pcrReadIn struct {
	PCRSelectionIn wire.TPMLPCRSelection
}

type pcrReadOut struct {
	PCRUpdateCounter uint32
	PCRSelectionOut  wire.TPMLPCRSelection
	PCRValues        wire.TPMLDigest
}

// TPM2_PCR_Read, Part 3, 22.4: return the values of PCRs, as many as fit in a
// TPML_DIGEST. The selection that comes with them says which.
func pcrRead(t *engine.TPM, in *pcrReadIn) (*pcrReadOut, error) {
	out := &pcrReadOut{
		PCRUpdateCounter: t.PCR.UpdateCounter,
		PCRSelectionOut:  t.PCR.Filter(in.PCRSelectionIn),
	}
	for _, s := range out.PCRSelectionOut {
		for pcr := range engine.PCRCount {
			switch {
			case !s.Has(pcr):
			case len(out.PCRValues) < wire.MaxDigestList:
				out.PCRValues = append(out.PCRValues, bytes.Clone(t.PCR.Value(s.Hash, pcr)))
			default:
				s.PCRSelect[pcr/8] &^= 1 << (pcr % 8)
			}
		}
	}
	return out, nil
}
