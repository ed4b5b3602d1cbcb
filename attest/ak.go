package attest

import (
	"fmt"

	"github.com/google/go-tpm/tpm2"
	"github.com/google/go-tpm/tpm2/transport"
)

// AK is an attestation key that is loaded in a TPM.
type AK struct {
	Name   []byte // what a verifier knows the key by (Part 1, "Names")
	Public []byte // TPMT_PUBLIC
	handle tpm2.TPMHandle
}

// CreateAK loads the machine's attestation key: ECC P-256, ECDSA with SHA-256,
// restricted, so that it signs only what the TPM itself has made up. It is a
// primary key in the endorsement hierarchy: the same at every call until the TPM's
// endorsement seed changes, and its quotes show resetCount and restartCount as
// they are, which a key of the owner hierarchy would not (Part 1, "Attestation":
// they are obfuscated). The endorsement hierarchy's authValue must be empty, as it
// is unless somebody has set it.
//
// That a key with this Name sits in a genuine TPM is for the verifier to find out
// once, by its certificate or by credential activation.
func CreateAK(tpm transport.TPM) (*AK, error) {
	rsp, err := tpm2.CreatePrimary{
		PrimaryHandle: tpm2.TPMRHEndorsement,
		InPublic:      tpm2.New2B(akTemplate()),
	}.Execute(tpm)
	if err != nil {
		return nil, fmt.Errorf("create an attestation key: %w", err)
	}
	return &AK{Name: rsp.Name.Buffer, Public: rsp.OutPublic.Bytes(), handle: rsp.ObjectHandle}, nil
}

// Close removes the key from the TPM's memory. CreateAK brings it back.
func (a *AK) Close(tpm transport.TPM) error {
	if _, err := (tpm2.FlushContext{FlushHandle: a.handle}).Execute(tpm); err != nil {
		return fmt.Errorf("flush the attestation key: %w", err)
	}
	return nil
}

func akTemplate() tpm2.TPMTPublic {
	return tpm2.TPMTPublic{
		Type:    tpm2.TPMAlgECC,
		NameAlg: tpm2.TPMAlgSHA256,
		ObjectAttributes: tpm2.TPMAObject{
			FixedTPM:            true,
			FixedParent:         true,
			SensitiveDataOrigin: true,
			UserWithAuth:        true,
			NoDA:                true,
			Restricted:          true,
			SignEncrypt:         true,
		},
		Parameters: tpm2.NewTPMUPublicParms(tpm2.TPMAlgECC, &tpm2.TPMSECCParms{
			Scheme: tpm2.TPMTECCScheme{
				Scheme:  tpm2.TPMAlgECDSA,
				Details: tpm2.NewTPMUAsymScheme(tpm2.TPMAlgECDSA, &tpm2.TPMSSigSchemeECDSA{HashAlg: quoteHash}),
			},
			CurveID: tpm2.TPMECCNistP256,
		}),
		Unique: tpm2.NewTPMUPublicID(tpm2.TPMAlgECC, &tpm2.TPMSECCPoint{}),
	}
}
