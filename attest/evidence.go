package attest

import (
	"errors"
	"fmt"

	"github.com/bootseal/bootseal/pcr"
	"github.com/bootseal/bootseal/seal"
	"github.com/google/go-tpm/tpm2"
	"github.com/google/go-tpm/tpm2/transport"
)

// quoteHash is the hash of the attestation key's signing scheme, and with it of
// the quoted digest.
const quoteHash = tpm2.TPMAlgSHA256

// Evidence is a quote with what is needed to check it. Nothing in it may be
// believed before that.
type Evidence struct {
	Quoted    []byte     `json:"quoted"`    // TPMS_ATTEST: what was signed
	Signature []byte     `json:"signature"` // TPMT_SIGNATURE
	AKPublic  []byte     `json:"ak_public"` // TPMT_PUBLIC of the attestation key
	PCRValues pcr.Values `json:"pcr_values"`
}

// Quote has the TPM sign the values of the selected PCRs together with the
// verifier's nonce, and returns that with the values themselves.
func Quote(tpm transport.TPM, ak *AK, nonce []byte, sel pcr.BankSelection) (*Evidence, error) {
	// The values are read beside the quote, and a PCR may change in between.
	const attempts = 10
	for range attempts {
		e, consistent, err := quote(tpm, ak, nonce, sel)
		if err != nil {
			return nil, fmt.Errorf("quote %s: %w", sel, err)
		}
		if consistent {
			return e, nil
		}
	}
	return nil, fmt.Errorf("quote %s: the PCRs change all the time", sel)
}

func quote(tpm transport.TPM, ak *AK, nonce []byte, sel pcr.BankSelection) (e *Evidence, consistent bool, err error) {
	values, err := seal.ReadPCRs(tpm, sel)
	if err != nil {
		return nil, false, err
	}
	rsp, err := tpm2.Quote{
		SignHandle: tpm2.AuthHandle{
			Handle: ak.handle,
			Name:   tpm2.TPM2BName{Buffer: ak.Name},
			Auth:   tpm2.PasswordAuth(nil),
		},
		QualifyingData: tpm2.TPM2BData{Buffer: nonce},
		InScheme:       tpm2.TPMTSigScheme{Scheme: tpm2.TPMAlgNull},
		PCRSelect: tpm2.TPMLPCRSelection{PCRSelections: []tpm2.TPMSPCRSelection{{
			Hash:      tpm2.TPMIAlgHash(sel.Bank),
			PCRSelect: sel.PCRs.Octets(),
		}}},
	}.Execute(tpm)
	if err != nil {
		return nil, false, err
	}
	attested, err := rsp.Quoted.Contents()
	if err != nil {
		return nil, false, fmt.Errorf("parse the quote: %w", err)
	}
	info, err := attested.Attested.Quote()
	if err != nil {
		return nil, false, errors.New("the TPM answers with another attestation than a quote")
	}
	composite, err := pcr.Composite(pcr.Bank(quoteHash), values, sel)
	if err != nil {
		return nil, false, err
	}
	return &Evidence{
		Quoted:    rsp.Quoted.Bytes(),
		Signature: tpm2.Marshal(rsp.Signature),
		AKPublic:  ak.Public,
		PCRValues: values,
	}, composite.Equal(info.PCRDigest.Buffer), nil
}
