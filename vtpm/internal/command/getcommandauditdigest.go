package command

import (
	"bytes"

	"github.com/bootseal/bootseal/vtpm/internal/engine"
	"github.com/bootseal/bootseal/vtpm/internal/wire"
)

type getCommandAuditDigestIn struct {
	PrivacyHandle  wire.TPMIRHEndorsement
	SignHandle     wire.TPMIDHObject `tpm:"+"`
	QualifyingData wire.TPM2BData
	InScheme       wire.TPMTSigScheme `tpm:"+"`
}

type getCommandAuditDigestOut struct {
	AuditInfo wire.TPM2BAttest
	Signature wire.TPMTSignature
}

// TPM2_GetCommandAuditDigest, Part 3, 18.6: sign the command audit digest. The
// next audited command starts another one, unless nobody signed.
func getCommandAuditDigest(t *engine.TPM, in *getCommandAuditDigestIn) (*getCommandAuditDigestOut, error) {
	a, err := selectAttester(t, in.SignHandle.Handle(), 2, in.InScheme, 2)
	if err != nil {
		return nil, err
	}
	info, signature, err := a.attest(t, in.QualifyingData, wire.STAttestCommandAudit, wire.TPMUAttest{
		CommandAudit: wire.TPMSCommandAuditInfo{
			AuditCounter:  t.Audit.Counter,
			DigestAlg:     t.Audit.Alg,
			AuditDigest:   bytes.Clone(t.Audit.Digest),
			CommandDigest: t.Audit.CommandDigest(),
		},
	})
	if err != nil {
		return nil, err
	}
	if a.key != nil {
		t.Audit.Digest = nil
	}
	return &getCommandAuditDigestOut{AuditInfo: info, Signature: signature}, nil
}
