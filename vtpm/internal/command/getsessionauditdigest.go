package command

import (
	"bytes"

	"github.com/bootseal/bootseal/vtpm/internal/engine"
	"github.com/bootseal/bootseal/vtpm/internal/wire"
)

type getSessionAuditDigestIn struct {
	PrivacyAdminHandle wire.TPMIRHEndorsement
	SignHandle         wire.TPMIDHObject `tpm:"+"`
	SessionHandle      wire.TPMISHHMAC
	QualifyingData     wire.TPM2BData
	InScheme           wire.TPMTSigScheme `tpm:"+"`
}

type getSessionAuditDigestOut struct {
	AuditInfo wire.TPM2BAttest
	Signature wire.TPMTSignature
}

// TPM2_GetSessionAuditDigest, Part 3, 18.5: sign the digest of the commands that an
// audit session has seen.
func getSessionAuditDigest(t *engine.TPM, in *getSessionAuditDigestIn) (*getSessionAuditDigestOut, error) {
	a, err := selectAttester(t, in.SignHandle.Handle(), 2, in.InScheme, 2)
	if err != nil {
		return nil, err
	}
	s := t.Sessions.Loaded(in.SessionHandle.Handle())
	if !s.Audit {
		return nil, wire.RCType.Handle(3)
	}
	info, signature, err := a.attest(t, in.QualifyingData, wire.STAttestSessionAudit, wire.TPMUAttest{
		SessionAudit: wire.TPMSSessionAuditInfo{
			ExclusiveSession: t.Audit.Exclusive == s.Handle,
			SessionDigest:    bytes.Clone(s.AuditDigest),
		},
	})
	if err != nil {
		return nil, err
	}
	return &getSessionAuditDigestOut{AuditInfo: info, Signature: signature}, nil
}
