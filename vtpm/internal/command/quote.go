package command

import (
	"github.com/bootseal/bootseal/vtpm/internal/engine"
	"github.com/bootseal/bootseal/vtpm/internal/wire"
)

type quoteIn struct {
	SignHandle     wire.TPMIDHObject `tpm:"+"`
	QualifyingData wire.TPM2BData
	InScheme       wire.TPMTSigScheme `tpm:"+"`
	PCRSelect      wire.TPMLPCRSelection
}

type quoteOut struct {
	Quoted    wire.TPM2BAttest
	Signature wire.TPMTSignature
}

// TPM2_Quote, Part 3, 18.4: sign a digest of the values of selected PCRs.
//
// "The TPM will hash the list of PCR selected by PCRselect using the hash
// algorithm in the selected signing scheme": TPM_RH_NULL has none.
func quote(t *engine.TPM, in *quoteIn) (*quoteOut, error) {
	a, err := selectAttester(t, in.SignHandle.Handle(), 1, in.InScheme, 2)
	if err != nil {
		return nil, err
	}
	if a.scheme.HashAlg == wire.AlgNull {
		return nil, wire.RCScheme.Param(2)
	}
	selection := t.PCR.Filter(in.PCRSelect)
	quoted, signature, err := a.attest(t, in.QualifyingData, wire.STAttestQuote, wire.TPMUAttest{
		Quote: wire.TPMSQuoteInfo{PCRSelect: selection, PCRDigest: t.PCR.Composite(a.scheme.HashAlg, selection)},
	})
	if err != nil {
		return nil, err
	}
	return &quoteOut{Quoted: quoted, Signature: signature}, nil
}
